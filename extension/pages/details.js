// The details behind "why": rule, evidence with sources and dates, powers; and the other languages.

import { sayStanding } from "../core/hands.js";
import { headline, inWhoseHands } from "../core/sentences.js";
import { make, safeLink } from "./dom.js";

const ACTIONS = { allow: "let through", observe: "let through and counted", warn: "warning", block: "blocked" };
const VERIFICATIONS = {
  verified: "verified",
  mixed: "from several public lists",
  recalled: "recalled, not verified",
};
const EFFECTS = { disclose: "can have data disclosed", cut_off: "can have a service cut off" };
const STATUSES = { in_force: "in force", lapsed: "lapsed", proposed: "proposed" };

/** @param {import("./prompt.js").Shown} shown @param {import("../core/language.js").Language[]} others */
export function detailsOf(shown, others) {
  return [why(shown), gists(shown, others)];
}

function why(shown) {
  const { language } = shown;
  return folded(
    language.say("Why do I see this page?"),
    make("dl.facts", {}, ...decisionRows(shown)),
    make("h3", {}, language.say("Evidence")),
    ...evidence(shown),
  );
}

/** Evidence and powers alone, for any page. */
export function evidenceOf({ verdict, language }) {
  return folded(language.say("Evidence"), ...evidence({ verdict, language }));
}

function evidence({ verdict, language }) {
  const facts = make("dl.facts", {}, ...evidenceRows({ verdict, language }));
  const powers = verdict.jurisdiction.powers.map((power) => powerItem(power, language));
  if (!powers.length) return [facts];
  return [facts, make("h3", {}, language.say("Legal powers that reach it")), make("ul.powers", {}, ...powers)];
}

function decisionRows({ verdict, policy, language, host }) {
  return [
    row(language.say("You tried to open"), host),
    row(language.say("Decision"), language.say(ACTIONS[verdict.action])),
    row(language.say("Rule"), verdict.rule),
    row(language.say("Policy"), `${policy.id}, ${policy.version}`),
    row(language.say("Standing"), sayStanding(verdict.jurisdiction.standing, language)),
  ];
}

function evidenceRows({ verdict, language }) {
  const { listing, jurisdiction } = verdict;
  const rows = [];
  if (listing) {
    const value = `${listing.pattern} → ${listing.service?.name ?? language.say("shared host")}`;
    rows.push(row(language.say("Recognised by"), value, sourceOf(listing, language)));
  }
  const { operator } = jurisdiction;
  for (const entity of operator ? [operator, ...operator.parents] : []) {
    const label = language.say(entity === operator ? "Operator" : "Belongs to");
    rows.push(row(label, `${entity.name} (${language.country(entity.country)})`, sourceOf(entity, language)));
  }
  return rows;
}

function sourceOf({ source, verification }, language) {
  const day = source.asOf ? `, ${language.day(source.asOf)}` : "";
  return ` ${language.say("Source:")} ${source.title}${day} (${language.say(VERIFICATIONS[verification])})`;
}

function powerItem(power, language) {
  const effect = `${language.say(EFFECTS[power.effect])}; ${language.say(STATUSES[power.status])}`;
  return make("li", {}, make("strong", { lang: "en" }, power.name), ` (${language.country(power.country)}): ${effect}`);
}

function gists({ verdict, policy }, others) {
  const link = safeLink(verdict.alternative?.url ?? "");
  const gist = (language) =>
    make(
      "div.gist",
      { lang: language.code },
      make("h3", {}, headline(verdict, language)),
      make("p", {}, inWhoseHands(verdict, policy.trustZone, language)),
      link && make("p", {}, make("a", { href: link, target: "_blank", rel: "noopener noreferrer" }, language.say("Open %(alternative)s", { alternative: verdict.alternative.name }))),
    );
  return folded(others.map((language) => language.name).join(" · "), ...others.map(gist));
}

function folded(title, ...children) {
  return make("details", {}, make("summary", {}, make("h2", {}, title)), make("div.inside", {}, ...children));
}

function row(label, value, note = "") {
  return make("div", {}, make("dt", {}, label), make("dd", {}, make("bdi", {}, value), note && make("span.small", {}, note)));
}
