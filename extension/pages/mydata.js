// My data: what is held about the person, why, until when; what lets them pass; a word against a
// decision. Asked of the API when the page is opened, and kept nowhere.

import { identity } from "../shell/identity.js";
import { Keeper } from "../shell/keeper.js";
import { call, Refused, Unreachable } from "../shell/sharing.js";
import { languageNamed, readersCode } from "../shell/texts.js";
import { sayUnreachable } from "./ask.js";
import { contestForm } from "./contest.js";
import { dress, localeOf, make } from "./dom.js";

const ACTIONS = { allow: "let through", observe: "let through and counted", warn: "warning", block: "blocked" };
const STATES = {
  waiting: "waiting for an answer",
  granted: "granted",
  refused: "refused",
  expired: "over",
  revoked: "taken back",
  withdrawn: "given up",
};
const CONTESTS = {
  new: "not looked at yet",
  in_review: "being looked at",
  confirmed: "looked at, and taken up",
  dismissed: "looked at, and the decision stands",
  raised: "looked at, and made into a rule",
};
const ROLES = { admin: "administrators", analyst: "analysts of the security team", auditor: "auditors" };

async function show() {
  const keeper = new Keeper();
  const decider = await keeper.decider();
  const language = await languageNamed(readersCode(decider?.knowledge.policy.language ?? "en"));
  dress(language, decider?.knowledge.policy);
  document.title = language.say("My data");
  const content = document.getElementById("content");
  const page = { api: await keeper.api(), language };
  content.replaceChildren(make("h1", {}, document.title), ...(await body(page)));
}

async function body(page) {
  const { api, language } = page;
  await identity({ anew: true });
  try {
    const held = await call(api, "/my");
    return [whoseAndHow(held, language), events(held, page), goneOn(held, language), exceptions(held, language)];
  } catch (error) {
    if (!(error instanceof Unreachable || error instanceof Refused)) throw error;
    return [make("p.doubt", { role: "status" }, error instanceof Refused ? error.message : sayUnreachable(language))];
  }
}

function whoseAndHow({ client, retention_days: days, seen_by: seenBy }, language) {
  const names = (roles) => roles.map((role) => language.say(ROLES[role])).join(", ");
  return make(
    "div",
    {},
    make("p", {}, language.say("Here you are known as %(client)s. That name changes every month, and two people have to agree before anybody learns who is behind it.", { client })),
    make("p", {}, language.say("Events are kept for %(days)s days and can be seen by: %(roles)s. Requests for exceptions can be seen by: %(others)s. Every look is put on record.", { days, roles: names(seenBy.events), others: names(seenBy.exceptions) })),
  );
}

function section(id, title, ...parts) {
  return make("section", { "aria-labelledby": id }, make("h2", { id }, title), ...parts);
}

function events(held, page) {
  const { language } = page;
  const list = make("ol.records", {}, ...held.events.map((event) => eventItem(event, page)));
  const title = language.say("What is recorded about me");
  if (!held.events.length) return section("events", title, make("p", {}, language.say("Nothing is recorded about you.")));
  return section("events", title, list, more(list, held.next, page));
}

/** The button for older ones, as long as there are some. */
function more(list, next, page) {
  if (!next) return null;
  const button = make("button.button.button-second", { type: "button" }, page.language.say("Show older ones"));
  button.addEventListener("click", async () => {
    const held = await call(page.api, `/my?cursor=${encodeURIComponent(next)}`);
    const items = held.events.map((event) => eventItem(event, page));
    list.append(...items);
    button.replaceWith(...[more(list, held.next, page)].filter(Boolean));
    items[0]?.querySelector("button, summary")?.focus();
  });
  return button;
}

function eventItem(event, page) {
  const { language } = page;
  const where = event.host || event.address;
  const decision = event.kind === "acknowledgement" ? language.say("you went on after the warning") : language.say(ACTIONS[event.action]);
  return make(
    "li",
    {},
    make("h3", {}, make("bdi", {}, where)),
    facts(
      [language.say("When"), moment(event.time, language)],
      [language.say("Decision"), decision],
      [language.say("Rule"), event.rule],
      [language.say("Reason"), make("span", { lang: "en" }, event.reason)],
      [language.say("Kept until"), moment(event.kept_until, language)],
    ),
    contest(event, where, page),
  );
}

function facts(...rows) {
  const filled = rows.filter(([, value]) => value && (value.textContent ?? value));
  return make("dl", {}, ...filled.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

const moment = (iso, language) => new Date(iso).toLocaleString(localeOf(language), { dateStyle: "medium", timeStyle: "short" });

/** Where the person's word against it stands; else the way to say one. */
function contest(event, where, { language }) {
  if (!event.contest) return contestForm({ of: { event: event.id }, host: where, language });
  const { number, state } = event.contest;
  const said = language.say("You contested it under number %(number)s: %(state)s.", { number, state: language.say(CONTESTS[state]) });
  return make("p.small", {}, said);
}

function goneOn({ acknowledgements }, language) {
  const items = acknowledgements.map(({ subject, until }) =>
    make("li", {}, make("h3", {}, make("bdi", {}, subject)), facts([language.say("Until"), moment(until, language)])),
  );
  const none = make("p", {}, language.say("There is none at present."));
  return section("gone-on", language.say("Warnings that I went on from"), items.length ? make("ul.records", {}, ...items) : none);
}

function exceptions({ exceptions: asked }, language) {
  const items = asked.map((one) =>
    make(
      "li",
      {},
      make("h3", {}, make("bdi", {}, one.service || one.host), ` · ${language.say("Number %(number)s", { number: one.number })}`),
      facts(
        [language.say("State"), language.say(STATES[one.state])],
        [language.say("Reason"), one.reason],
        [language.say("Until"), moment(one.until ?? one.wanted, language)],
        [language.say("Answer"), one.message],
      ),
    ),
  );
  const none = make("p", {}, language.say("There is none at present."));
  return section("exceptions", language.say("Exceptions that I asked for"), items.length ? make("ul.records", {}, ...items) : none);
}

show();
