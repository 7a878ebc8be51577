// The prompt in the browser: what the proxy's page says, decided and shown without the network.

import { pick } from "../core/language.js";
import { makeReply, useOf } from "../core/reply.js";
import { headline, inWhoseHands } from "../core/sentences.js";
import { ask } from "../shell/browser.js";
import { Keeper, subjectOf } from "../shell/keeper.js";
import { untilHeard } from "../shell/settling.js";
import { askForm } from "./ask.js";
import { contestForm } from "./contest.js";
import { detailsOf } from "./details.js";
import { dress, localeOf, make, safeLink } from "./dom.js";
import { replyOf } from "./reply.js";
import { CODES, languageNamed, readersCode } from "../shell/texts.js";

const LEADS = {
  meeting: "Your meeting can take place on %(alternative)s.",
  conversation: "Your conversation can take place on %(alternative)s.",
};

const MAX_DETAIL = 300;

const REASONS = {
  meeting_now: "The meeting is about to begin and cannot be moved",
  partner: "The organiser belongs to another organisation and cannot change",
  look_up: "I only need to read or fetch something here",
  other: "Another reason, which I explain below",
};

/** @typedef {{url: string, host: string, verdict: any, policy: any, language: any}} Shown */

async function show() {
  const url = safeLink(location.hash.slice(1)); // any site can open this page, with anything behind the #
  const keeper = new Keeper();
  const languages = new Map(CODES.map((code) => [code, languageNamed(code)])); // read while it is judged
  const { destination, verdict, lifted } = await keeper.judge(url);
  const { policy } = (await keeper.decider()).knowledge;
  const language = await languages.get(readersCode(policy.language));
  const others = await Promise.all(CODES.filter((code) => code !== language.code).map((code) => languages.get(code)));
  const host = destination.host || destination.address;
  if (verdict.passes || lifted) return pass(keeper, url);
  const shown = { url, host, verdict, policy, language };
  frame(shown);
  document.getElementById("content").replaceChildren(...body(shown, others));
  await ask({ kind: "share" }); // something may have been granted meanwhile
  if ((await keeper.judge(url)).lifted) await leave(url, host);
}

/** Go to the page that was wanted, once the proxy has heard of it. */
async function leave(url, host) {
  await untilHeard(host);
  location.replace(url);
}

/** Go on by the rules of this moment, or they would lead here again. */
async function pass(keeper, url) {
  await keeper.enforce();
  location.replace(url);
}

/** Who speaks, in which language. @param {Shown} shown */
function frame({ verdict, policy, language }) {
  const { organisation } = policy;
  const say = (text) => language.say(text);
  dress(language, policy);
  const name = pick(organisation.name, language, policy.language) || "sovproxy";
  document.title = `${headline(verdict, language)} – ${name}`;
  document.getElementById("speaker").replaceChildren(
    make("span.emblem", { "aria-hidden": "true" }),
    make("div", {}, make("p.organisation-name", {}, name)),
  );
  document
    .getElementById("foot")
    .replaceChildren(make("span", {}, `${say("Rule")} `, make("span.id", {}, verdict.rule)));
}

function body(shown, others) {
  const { verdict, policy, language, host } = shown;
  const replies = [language, ...others].map((each) => [each, makeReply(verdict, policy, each, host)]);
  return [
    make(
      "div.top",
      {},
      make("div.words", {}, ...words(shown)),
      useOf(verdict) === "alone" ? null : replyOf(shown, replies),
      make("div.beyond", {}, verdict.action === "warn" ? goOn(shown) : null, help(shown)),
    ),
    make("div.more", {}, ...detailsOf(shown, others)),
  ];
}

function words({ verdict, policy, language, host }) {
  const { alternative } = verdict;
  const blocked = verdict.action !== "warn";
  const message = pick(verdict.message, language, policy.language);
  return [
    make(`p.kicker.${blocked ? "kicker-block" : "kicker-warn"}`, {}, language.say(blocked ? "Access blocked" : "Warning")),
    make("h1", {}, headline(verdict, language)),
    make("p.lead", {}, lead(verdict, language)),
    make("p.sentence", {}, inWhoseHands(verdict, policy.trustZone, language)),
    alternative && safeLink(alternative.url) ? wayOut(alternative, language) : null,
    message ? make("p.from-rule", {}, message) : null,
    make(
      "dl.asked",
      {},
      make("dt", {}, language.say("You tried to open")),
      make("dd", {}, make("bdi.id", {}, host)),
    ),
  ].filter(Boolean);
}

function lead(verdict, language) {
  const { alternative } = verdict;
  if (!alternative) return language.say("Your organisation has not named another service for this.");
  const text = LEADS[useOf(verdict)] ?? "You can use %(alternative)s instead.";
  return language.say(text, { alternative: alternative.name });
}

function wayOut({ name, url }, language) {
  const link = { id: "way-out", href: safeLink(url), target: "_blank", rel: "noopener noreferrer" };
  return make(
    "p.way",
    {},
    make("a.button", link, language.say("Open %(alternative)s", { alternative: name })),
    make("span.small", {}, new URL(url).hostname, make("br"), language.say("opens in a new tab")),
  );
}

/** Going on after a warning: noted here, shared with the proxy, then the page that was wanted. */
function goOn({ url, host, verdict, language, policy }) {
  const name = verdict.service?.name ?? host;
  const until = new Date(Date.now() + policy.acknowledgement_seconds * 1000);
  const hour = until.toLocaleTimeString(localeOf(language), { timeStyle: "short" });
  const status = make("p.doubt", { role: "status" });
  const submit = async (event) => {
    event.preventDefault();
    const { reason, detail } = event.target.elements;
    const what = { subject: subjectOf(verdict, host), host, reason: reason.value, detail: detail.value.trim() };
    try {
      const { shared } = await ask({ kind: "acknowledge", what });
      if (shared) await leave(url, host);
      else location.replace(url);
    } catch (error) {
      status.textContent = error.message;
    }
  };
  const options = Object.entries(REASONS).map(([value, text]) => make("option", { value }, language.say(text)));
  return make(
    "section.card.go-on",
    { "aria-labelledby": "go-on-title" },
    make("h2", { id: "go-on-title" }, language.say("Go on all the same")),
    make("p.small", {}, language.say("You may go on to %(host)s until %(hour)s. Say why: the reason is kept with the event.", { host: name, hour })),
    make(
      "form",
      { onsubmit: submit },
      make("div", {}, make("label", { for: "reason" }, language.say("Reason")), make("select", { id: "reason", required: true }, make("option", { value: "" }, language.say("Choose a reason")), ...options)),
      make(
        "div",
        {},
        make("label", { for: "detail" }, language.say("Explanation (optional)")),
        make("input", { type: "text", id: "detail", maxlength: MAX_DETAIL, "aria-describedby": "detail-hint" }),
        make("p.hint", { id: "detail-hint" }, language.say("Please name no person.")),
      ),
      make("div", {}, make("button.button.button-second", { type: "submit" }, language.say("Go on to %(host)s", { host: name })), status),
    ),
  );
}

function help(shown) {
  const { language, verdict } = shown;
  const contest = contestForm({ ...shown, of: { host: shown.host } });
  if (verdict.action === "warn") return make("section.help", { "aria-label": language.say("Ask for an exception") }, askForm(shown), contest);
  const text = "This page cannot let you through. An exception is granted by a person, for a limited time and with a reason.";
  return make(
    "section.help",
    { "aria-labelledby": "help-title" },
    make("h2", { id: "help-title" }, language.say("Do you need it all the same?")),
    make("p", {}, language.say(text)),
    askForm(shown),
    contest,
  );
}

show();
