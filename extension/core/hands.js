// In whose hands a page is, also where nothing is stopped.

import { inWhoseHands, subject } from "./sentences.js";

const STANDINGS = {
  sovereign: "sovereign: server and control are under law accepted here",
  hosted_here_controlled_abroad: "hosted here, controlled from abroad",
  abroad: "abroad",
  unknown: "unknown",
};

/** A standing in words. @param {string} standing */
export const sayStanding = (standing, language) => language.say(STANDINGS[standing]);

/** One sentence about any verdict. @param {Set<string>} trustZone */
export function describeHands(verdict, trustZone, language) {
  const { control, operator, place } = verdict.jurisdiction;
  const accepted = control.length && control.every((country) => trustZone.has(country));
  const here = !place.country || trustZone.has(place.country);
  if (!accepted || !here || !operator) return inWhoseHands(verdict, trustZone, language);
  return language.say("%(subject)s is operated by %(operator)s and answers to %(law)s, which is accepted here.", {
    subject: subject(verdict, language),
    operator: operator.name,
    law: language.lawOf(operator.country),
  });
}
