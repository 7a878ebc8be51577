// One language: the proxy's own texts (`sovproxy/prompt/translations`), as the build wrote them.

/**
 * @typedef {object} Texts
 * @property {string} code such as `fr`
 * @property {Record<string, string>} messages by English text; with a context: `context\u0004text`
 * @property {Record<string, string>} laws "the law of …" by ISO 3166-1 alpha-2 code
 */

export class Language {
  /** @param {Texts} texts */
  constructor({ code, messages, laws }) {
    this.code = code;
    this.messages = messages;
    this.laws = laws;
    this.countries = new Intl.DisplayNames([code === "en" ? "en-GB" : code], { type: "region", fallback: "code" });
  }

  /** Its own name for itself, with a capital. */
  get name() {
    const name = new Intl.DisplayNames([this.code], { type: "language" }).of(this.code);
    return name.charAt(0).toLocaleUpperCase(this.code) + name.slice(1);
  }

  /** The text in this language, with `%(name)s` filled from `values`. */
  say(message, values = {}) {
    return this.sayIn("", message, values);
  }

  /** The text as it reads in a context (gettext's msgctxt). */
  sayIn(context, message, values = {}) {
    const text = this.messages[context ? `${context}\u0004${message}` : message] ?? message;
    return text.replace(/%\((\w+)\)s/g, (_whole, name) => String(values[name]));
  }

  /** The country's name by its ISO code, or the code itself. */
  country(code) {
    try {
      return this.countries.of(code);
    } catch {
      return code; // databases use codes that are no country
    }
  }

  /** The law of a country, in the form that follows "answers to". */
  lawOf(code) {
    return this.laws[code] ?? this.say("the law of another country (%(country)s)", { country: this.country(code) });
  }

  /** A day in full, of an ISO date; what is only a year or month stays as it is. */
  day(iso) {
    if (!/^\d{4}-\d{2}-\d{2}/.test(iso)) return iso;
    const locale = this.code === "en" ? "en-GB" : this.code;
    return new Date(iso).toLocaleDateString(locale, { dateStyle: "long", timeZone: "UTC" });
  }
}

/** The same text in this language, the policy's, or any. @param {Record<string, string>} texts */
export function pick(texts, language, policyLanguage) {
  return texts[language.code] ?? texts[policyLanguage] ?? Object.values(texts)[0] ?? "";
}
