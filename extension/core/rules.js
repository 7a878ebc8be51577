// Compiles a decider to declarativeNetRequest rules, so that a navigation to a stopped service goes
// to our prompt before a byte leaves. Few rules, however many hosts: one for all domains of one
// depth, since the deepest pattern that a host fits decides.

import { NOWHERE } from "./decider.js";
import { ChosenBy } from "./words.js";

/** What stands below a domain and is in no catalogue: what `*.domain` decides shows by it. */
const ANY_LABEL = "sovproxy-any-name";
const STEP = 10; // between the priorities of two depths

/**
 * @typedef {object} Situation
 * @property {number} now Unix seconds
 * @property {string} group the person's group in the policy, or empty
 * @property {(verdict: object, host: string) => boolean} lifted whether the person may pass all the same
 * @property {string[]} [patterns] hosts that are lifted one by one
 * @property {string} prompt the address of our prompt page; the URL that was wanted is added to it
 */

/** Every pattern that could decide: the catalogue's, the policy's own, and those of exceptions. */
function patternsOf(decider, more) {
  return new Set([...decider.knowledge.hosts.patterns(), ...decider.marks.patterns(), ...more]);
}

/**
 * Compile the rules of a moment. They stay right until a phase begins or a permission ends.
 * @param {import("./decider.js").Decider} decider @param {Situation} situation
 * @returns {object[]} rules of declarativeNetRequest
 */
export function compileRules(decider, situation) {
  const stopped = judgePatterns(decider, situation);
  const domains = new Groups();
  const exact = new Groups();
  for (const [pattern, stops] of stopped) {
    const name = pattern.replace(/^\*\./, "");
    if (pattern !== name) domains.add(name, stops, inherited(pattern, stopped));
    else exact.add(name, stops, besides(name, stopped));
  }
  for (const name of ungiven(stopped)) exact.add(name, inherited(name, stopped), besides(name, stopped));
  const rules = [...domains.all()].map(([depth, stops, names]) =>
    rule(depth * STEP, stops, { requestDomains: names, regexFilter: "^https?://.+" }, situation),
  );
  for (const [depth, stops, names] of exact.all()) {
    const condition = { requestDomains: names, regexFilter: hostOfDepth(depth) };
    rules.push(rule(depth * STEP + 1, stops, condition, situation));
  }
  return rules.map((item, index) => ({ id: index + 1, ...item }));
}

/** Whether each pattern stops. One row of the bundle has many patterns, which are judged alike. */
function judgePatterns(decider, { now, group, lifted, patterns = [] }) {
  const [judged, byRow] = [new Map(), new Map()];
  for (const pattern of patternsOf(decider, patterns)) {
    const host = pattern.replace(/^\*/, ANY_LABEL);
    const [row] = decider.knowledge.hosts.fitting(host).next().value ?? [];
    const alone = decider.marks.find(host) !== undefined || !row;
    const verdict = (!alone && byRow.get(row)) || judge(decider, host, now, group);
    if (!alone) byRow.set(row, verdict);
    judged.set(pattern, !verdict.passes && !lifted(verdict, host));
  }
  return judged;
}

function judge(decider, host, now, group) {
  return decider.decide({ host, address: "", port: 443, chosenBy: ChosenBy.NOBODY }, NOWHERE, now, group);
}

/** What a host gets without its own pattern. A rule for the domain of `*.name` takes `name` along. */
function besides(name, stopped) {
  return stopped.get(`*.${name}`) ?? inherited(name, stopped);
}

/** Names that only all below them are listed of: a rule for their domain must leave them alone. */
function ungiven(stopped) {
  const names = [...stopped.keys()].filter((it) => it.startsWith("*.")).map((it) => it.slice(2));
  return names.filter((name) => !stopped.has(name));
}

/** What the patterns above decide. */
function inherited(pattern, stopped) {
  let name = pattern.replace(/^\*\./, "");
  for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".")) {
    name = name.slice(dot + 1);
    const above = stopped.get(`*.${name}`);
    if (above !== undefined) return above;
  }
  return false;
}

/** Names by depth and by whether they stop; those that change nothing are left out. */
class Groups {
  constructor() {
    this.groups = new Map();
  }

  add(name, stops, already) {
    if (stops === already) return;
    const key = `${name.split(".").length} ${stops}`;
    if (!this.groups.has(key)) this.groups.set(key, []);
    this.groups.get(key).push(name);
  }

  *all() {
    for (const [key, names] of this.groups) {
      const [depth, stops] = key.split(" ");
      yield [Number(depth), stops === "true", names];
    }
  }
}

function rule(priority, stops, condition, { prompt }) {
  const redirect = { type: "redirect", redirect: { regexSubstitution: `${prompt}#\\0` } };
  return {
    priority,
    action: stops ? redirect : { type: "allow" },
    condition: { ...condition, resourceTypes: ["main_frame"] },
  };
}

/**
 * Fits a URL whose host has so many labels: with a domain of that depth, the domain itself and
 * nothing below it. (Names as alternatives soon exceed the 2 kB that browsers give an expression.)
 */
function hostOfDepth(depth) {
  return `^https?://(?:[^/@]*@)?(?:[a-z0-9_-]+[.]){${depth - 1}}[a-z0-9_-]+(?::[0-9]+)?/.*`;
}
