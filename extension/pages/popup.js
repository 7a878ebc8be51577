// The current page in plain words: where it stands, in whose hands it is, what else it loads.

import { subject } from "../core/sentences.js";
import { foreignControl, MARKS } from "../core/summary.js";
import { describeHands } from "../core/hands.js";
import { currentTab, openOptions } from "../shell/browser.js";
import { Keeper } from "../shell/keeper.js";
import { loadedBy } from "../shell/pages.js";
import { evidenceOf } from "./details.js";
import { dress, make, safeLink } from "./dom.js";
import { languageNamed, readersCode } from "../shell/texts.js";

const SVG = "http://www.w3.org/2000/svg";
const OUTLINES = {
  circle: "M16 1a15 15 0 1 1 0 30a15 15 0 1 1 0-30z",
  square: "M3 1h26a2 2 0 0 1 2 2v26a2 2 0 0 1-2 2h-26a2 2 0 0 1-2-2v-26a2 2 0 0 1 2-2z",
  triangle: "M16 1L31 31H1z",
  diamond: "M16 0L32 16L16 32L0 16z",
};

async function show() {
  const keeper = new Keeper();
  const decider = await keeper.decider();
  const language = await languageNamed(readersCode(decider?.knowledge.policy.language ?? "en"));
  dress(language, decider?.knowledge.policy);
  document.getElementById("content").replaceChildren(...(await body(keeper, decider, language)));
}

async function body(keeper, decider, language) {
  const tab = await currentTab();
  if (!decider) return [make("p", {}, language.say("There is no policy yet.")), setUp(language)];
  if (!tab || !/^https?:/.test(tab.url)) return [make("p", {}, language.say("This page is not on the web."))];
  const { destination, verdict } = await keeper.judge(tab.url);
  const { hosts } = await loadedBy(tab.id);
  delete hosts[destination.host];
  return [
    make("h1", {}, destination.host || destination.address),
    standing(verdict, language),
    make("p", {}, describeHands(verdict, decider.knowledge.policy.trustZone, language)),
    ...wayOut(verdict, language),
    ...others(foreignControl(decider, hosts, Date.now() / 1000), language),
    verdict.jurisdiction.operator ? evidenceOf({ verdict, language }) : null,
  ].filter(Boolean);
}

function standing({ jurisdiction }, language) {
  const { letter, shape, colour } = MARKS[jurisdiction.standing];
  const icon = document.createElementNS(SVG, "svg");
  icon.setAttribute("viewBox", "0 0 32 32");
  icon.setAttribute("aria-hidden", "true");
  const outline = document.createElementNS(SVG, "path");
  outline.setAttribute("d", OUTLINES[shape]);
  outline.setAttribute("fill", colour);
  const text = document.createElementNS(SVG, "text");
  for (const [name, value] of Object.entries({ x: 16, y: shape === "triangle" ? 27 : 22, "text-anchor": "middle", "font-size": 17, "font-weight": 700, fill: "#fff" })) {
    text.setAttribute(name, value);
  }
  text.textContent = letter;
  icon.append(outline, text);
  return make("p.standing", {}, icon, language.say(STANDINGS[jurisdiction.standing]));
}

const STANDINGS = {
  sovereign: "sovereign: server and control are under law accepted here",
  hosted_here_controlled_abroad: "hosted here, controlled from abroad",
  abroad: "abroad",
  unknown: "unknown",
};

function wayOut({ alternative }, language) {
  const url = safeLink(alternative?.url ?? "");
  if (!url) return [];
  const link = { href: url, target: "_blank", rel: "noopener noreferrer" };
  return [make("p.actions", {}, make("a.button", link, language.say("Open %(alternative)s", { alternative: alternative.name })))];
}

/** What else the page loads, by country of control. */
function others(countries, language) {
  if (!countries.length) return [];
  const rows = countries.map(({ country, hosts, requests }) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, country ? language.country(country) : language.say("unknown")),
      make("td.number", {}, String(hosts)),
      make("td.number", {}, String(requests)),
    ),
  );
  const head = make(
    "tr",
    {},
    make("th", { scope: "col" }, language.say("Controlled from")),
    make("th.number", { scope: "col" }, language.say("Sites")),
    make("th.number", { scope: "col" }, language.say("Requests")),
  );
  const caption = make("caption", {}, language.say("What else this page loads from abroad"));
  return [make("table", {}, caption, make("thead", {}, head), make("tbody", {}, ...rows))];
}

function setUp(language) {
  return make("p.actions", {}, make("button.button", { type: "button", onclick: openOptions }, language.say("Options")));
}

show();
