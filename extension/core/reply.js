// The ready reply to the person who sent the invitation, as `sovproxy/prompt/reply.py` writes it.

import { pick } from "./language.js";

/** Hosts whose rooms are `/abc-defg-hij` (see reply.py for the source). */
export const ROOM_HOSTS = new Set(["visio.numerique.gouv.fr", "visio.suite.anct.gouv.fr"]);
const MEETINGS = new Set(["videoconference", "videoconference-infra"]);
const ALONE = new Set([
  "ai-api", "ai-assistant", "ai-research", "anonymiser", "cdn", "cloud", "connectivity", "crm",
  "dev-platform", "erp", "identity", "media", "portal", "search", "tracker", "translation",
]);

const ASKS = {
  meeting: "Could we meet there? Here is the link of the meeting:",
  conversation: "Could we go on there? You can reach me at:",
  other: "Could we use it together? Here is the link:",
};
const PLACES = {
  meeting: "[link of the meeting on %(alternative)s]",
  conversation: "[my link or address on %(alternative)s]",
  other: "[link on %(alternative)s]",
};

/** What kind of thing the worker wanted to do: `meeting`, `conversation`, `other` or `alone`. */
export function useOf({ service, alternative }) {
  const { category } = alternative ?? service ?? { category: "" };
  if (MEETINGS.has(category)) return "meeting";
  if (category === "messaging") return "conversation";
  return ALONE.has(category) ? "alone" : "other";
}

/** The alternative's host if its rooms have the known shape, else an empty text. */
export function roomHost(alternative) {
  if (!alternative?.url || !URL.canParse(alternative.url)) return "";
  const { hostname } = new URL(alternative.url);
  return ROOM_HOSTS.has(hostname) ? hostname : "";
}

/**
 * The reply in one language. `placeholder` is the part of `text` that a link replaces.
 * @param {string} host what was asked for, when no service is known
 * @param {string} [link] of a room that exists already
 * @returns {{text: string, placeholder: string}}
 */
export function makeReply(verdict, policy, language, host, link = "") {
  const { alternative } = verdict;
  const values = {
    organisation: organisationOf(policy, language),
    service: verdict.service?.name ?? host,
    alternative: alternative?.name ?? "",
  };
  if (!alternative) return replyWithoutAlternative(values, language);
  const use = useOf(verdict);
  const place = link || placeFor(use, alternative, language);
  const wish = language.say(
    "%(organisation)s asks its staff to use %(alternative)s rather than %(service)s.",
    values,
  );
  return { text: letter([`${wish} ${language.say(ASKS[use] ?? "")}`, place], language), placeholder: place };
}

function replyWithoutAlternative(values, language) {
  const place = language.say("[telephone number or address]");
  const wish = language.say(
    "%(organisation)s asks its staff not to use %(service)s. Could we find another way, such as the telephone? You can reach me at:",
    values,
  );
  return { text: letter([wish, place], language), placeholder: place };
}

function letter(lines, language) {
  return [language.say("Hello,"), lines.join("\n"), language.say("Thank you, and see you soon.")].join("\n\n");
}

function placeFor(use, alternative, language) {
  const host = roomHost(alternative);
  if (use === "meeting" && host) {
    const example = `https://${host}/abc-defg-hij`;
    return language.say("[link of the meeting, such as %(example)s]", { example });
  }
  return language.say(PLACES[use] ?? "", { alternative: alternative.name });
}

function organisationOf(policy, language) {
  const name = pick(policy.organisation.name, language, policy.language);
  return name ? language.say("My organisation (%(name)s)", { name }) : language.say("My organisation");
}
