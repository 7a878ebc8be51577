// What popup and "whose is it?" have in common: standing, hands, way out.

import { describeHands, sayStanding } from "../core/hands.js";
import { MARKS } from "../core/summary.js";
import { evidenceOf } from "./details.js";
import { make, safeLink } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const OUTLINES = {
  circle: "M16 1a15 15 0 1 1 0 30a15 15 0 1 1 0-30z",
  square: "M3 1h26a2 2 0 0 1 2 2v26a2 2 0 0 1-2 2h-26a2 2 0 0 1-2-2v-26a2 2 0 0 1 2-2z",
  triangle: "M16 1L31 31H1z",
  diamond: "M16 0L32 16L16 32L0 16z",
};

/** @returns {HTMLElement[]} the answer to "whose is it?", without evidence */
export function answerOf({ destination, verdict }, trustZone, language) {
  return [
    make("h1", {}, destination.host || destination.address),
    standing(verdict.jurisdiction, language),
    make("p", {}, describeHands(verdict, trustZone, language)),
    ...wayOut(verdict, language),
  ];
}

/** The evidence, folded, where there is any. @returns {HTMLElement[]} */
export const evidenceFor = (verdict, language) => (verdict.jurisdiction.operator ? [evidenceOf({ verdict, language })] : []);

function standing(jurisdiction, language) {
  const { letter, shape, colour } = MARKS[jurisdiction.standing];
  const letterAt = { x: 16, y: shape === "triangle" ? 27 : 22, "text-anchor": "middle", "font-size": 17, "font-weight": 700, fill: "#fff" };
  const text = drawn("text", letterAt);
  text.textContent = letter;
  const icon = drawn("svg", { viewBox: "0 0 32 32", "aria-hidden": "true" });
  icon.append(drawn("path", { d: OUTLINES[shape], fill: colour }), text);
  return make("p.standing", {}, icon, sayStanding(jurisdiction.standing, language));
}

function drawn(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function wayOut({ alternative }, language) {
  const url = safeLink(alternative?.url ?? "");
  if (!url) return [];
  const link = { href: url, target: "_blank", rel: "noopener noreferrer" };
  return [make("p.actions", {}, make("a.button", link, language.say("Open %(alternative)s", { alternative: alternative.name })))];
}
