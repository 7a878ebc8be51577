// Builds elements; texts are never read as markup.

/**
 * @param {string} name such as `p` or `p.lead` @param {Record<string, any>} [attributes]
 * @param {...(Node | string | null | undefined | false)} children
 */
export function make(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, String(value));
  }
  element.append(...children.filter((child) => child || child === ""));
  return element;
}

/** A link that leads nowhere but to the web. @param {string} url */
export function safeLink(url) {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol) ? url : "";
}

/** How dates read in a language. */
export const localeOf = ({ code }) => (code === "en" ? "en-GB" : code);

/** Put the language and the organisation's colours on the whole page. @param {any} [policy] */
export function dress(language, policy) {
  const { documentElement } = document;
  documentElement.lang = language.code;
  documentElement.style.setProperty("--primary", policy?.organisation.primary_colour ?? "#1b3a6b");
  documentElement.style.setProperty("--accent", policy?.organisation.accent_colour ?? "#c9191e");
}
