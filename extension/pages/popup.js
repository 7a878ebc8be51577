// The current page in plain words: where it stands, in whose hands it is, what else it loads.

import { foreignControl } from "../core/summary.js";
import { currentTab, openOptions } from "../shell/browser.js";
import { Keeper } from "../shell/keeper.js";
import { meetingsIn, sayMeeting } from "../shell/meetings.js";
import { loadedBy } from "../shell/pages.js";
import { languageNamed, readersCode } from "../shell/texts.js";
import { answerOf, evidenceFor } from "./answer.js";
import { dress, make } from "./dom.js";
import { askForMore } from "./more.js";

async function show() {
  const keeper = new Keeper();
  const decider = await keeper.decider();
  const language = await languageNamed(readersCode(decider?.knowledge.policy.language ?? "en"));
  dress(language, decider?.knowledge.policy);
  document.getElementById("content").replaceChildren(...(await body(keeper, decider, language)));
}

async function body(keeper, decider, language) {
  const tab = await currentTab();
  const name = make("h1", {}, "sovproxy");
  if (!decider) return [name, make("p", {}, language.say("There is no policy yet.")), setUp(language)];
  if (!tab || !/^https?:/.test(tab.url)) return [name, make("p", {}, language.say("This page is not on the web."))];
  const judged = await keeper.judge(tab.url);
  const { hosts } = await loadedBy(tab.id);
  delete hosts[judged.destination.host];
  return [
    ...answerOf(judged, decider.knowledge.policy.trustZone, language),
    ...(await meetings(tab.id, language)),
    ...others(foreignControl(decider, hosts, Date.now() / 1000), language),
    ...evidenceFor(judged.verdict, language),
    askForMore(judged.destination.host || judged.destination.address, await keeper.api(), language),
    make("p.actions", {}, make("a", { href: "mydata.html", target: "_blank" }, language.say("My data"))),
  ];
}

async function meetings(tab, language) {
  return (await meetingsIn(tab)).map((site) => make("p.doubt", {}, sayMeeting(site, language)));
}

/** What else the page loads, by country of control. */
function others(countries, language) {
  if (!countries.length) return [];
  const head = make(
    "tr",
    {},
    make("th", { scope: "col" }, language.say("Controlled from")),
    make("th.number", { scope: "col" }, language.say("Sites")),
    make("th.number", { scope: "col" }, language.say("Requests")),
  );
  const rows = countries.map((country) => rowOf(country, language));
  const caption = make("caption", {}, language.say("What else this page loads from abroad"));
  return [make("table", {}, caption, make("thead", {}, head), make("tbody", {}, ...rows))];
}

function rowOf({ country, hosts, requests }, language) {
  const name = country ? language.country(country) : language.say("unknown");
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, name),
    make("td.number", {}, String(hosts)),
    make("td.number", {}, String(requests)),
  );
}

function setUp(language) {
  return make("p.actions", {}, make("button.button", { type: "button", onclick: openOptions }, language.say("Options")));
}

show();
