// What a page loads, told by country of control; and how a standing is shown at a glance.

import { NOWHERE } from "./decider.js";
import { readHost } from "./normalise.js";

/** Shape and letter of each standing, so that colour says nothing alone. */
export const MARKS = {
  sovereign: { letter: "S", shape: "circle", colour: "#18753c" },
  hosted_here_controlled_abroad: { letter: "H", shape: "square", colour: "#8a5a00" },
  abroad: { letter: "A", shape: "triangle", colour: "#b1201a" },
  unknown: { letter: "?", shape: "diamond", colour: "#4b5563" },
};

/**
 * Count the hosts of a page by the countries that control them, most requests first.
 * @param {import("./decider.js").Decider} decider @param {Record<string, number>} hosts requests by host
 * @returns {{country: string, hosts: number, requests: number}[]} countries outside the trust zone;
 * an empty country stands for what nobody knows
 */
export function foreignControl(decider, hosts, now) {
  const { trustZone } = decider.knowledge.policy;
  const totals = new Map();
  for (const [host, requests] of Object.entries(hosts)) {
    const { control } = decider.decide(readHost(host), NOWHERE, now).jurisdiction;
    const foreign = control.length ? control.filter((country) => !trustZone.has(country)) : [""];
    for (const country of foreign) {
      const total = totals.get(country) ?? { country, hosts: 0, requests: 0 };
      totals.set(country, { country, hosts: total.hosts + 1, requests: total.requests + requests });
    }
  }
  return [...totals.values()].sort((a, b) => b.requests - a.requests || (a.country < b.country ? -1 : 1));
}
