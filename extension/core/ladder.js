// The ladder: rungs in order, the first that decides wins, as `sovproxy/decide/ladder.py` has it.

/**
 * @typedef {{action: string, rule: string, why: string, by: object | null, softened: boolean}} Decision
 */

/** @returns {Decision} */
const decision = (action, rule, why = "", by = null, softened = false) => ({ action, rule, why, by, softened });

function* refusedNetwork(question) {
  if (question.reach === "refused") {
    const why = "The address is in a network that the policy never lets the proxy connect to.";
    yield decision("block", "refused-network", why);
  }
  yield step("refused-network", "the address is not in a refused network");
}

function* internal(question) {
  if (question.internalName) {
    yield decision("allow", "internal", "The host is one of the policy's internal domains.");
  }
  if (question.outerName) {
    const why = "The name leads to an internal network, but is none of the policy's internal domains.";
    yield decision("block", "refused-network", why);
  }
  if (question.reach === "internal" && !question.listing) {
    yield decision("allow", "internal", "The address is in an internal network.");
  }
  yield step("internal", "neither an internal domain nor network");
}

function* rules(question, policy) {
  for (const rule of policy.rules) {
    const miss = whyNot(rule.condition, question);
    const action = actionAt(rule, question.now);
    if (miss) yield step(`rule ${rule.id}`, `does not fit: ${miss}`);
    else if (action === null) yield step(`rule ${rule.id}`, "fits, but is not in force yet");
    else yield byRule(rule, action, question, policy);
  }
}

function byRule(rule, action, question, policy) {
  const trusted = rule.trustRecalled || policy.trustRecalled;
  const softened = action === "block" && !trusted && restsOnRecalled(rule, question);
  const why = softened ? "The fact is only recalled, so that it warns instead of blocking." : "";
  return decision(softened ? "warn" : action, rule.id, why, rule, softened);
}

function* otherwise(_question, policy) {
  yield decision(policy.default, "default", "No rule fits.");
}

/** The whole order of decision for one identity of a destination. */
export const RUNGS = [
  ["refused-network", refusedNetwork],
  ["internal", internal],
  ["rules", rules],
  ["default", otherwise],
];

/**
 * Walk the rungs until one decides.
 * @returns {{decision: Decision, jurisdiction: object, steps: {rung: string, decided: boolean, detail: string}[]}}
 */
export function climb(question, policy) {
  const steps = [];
  for (const [name, rung] of RUNGS) {
    for (const outcome of rung(question, policy)) {
      if ("rung" in outcome) {
        steps.push(outcome);
        continue;
      }
      const detail = `${outcome.rule}: ${outcome.action}. ${outcome.why}`.trim();
      steps.push({ rung: name, decided: true, detail });
      return { decision: outcome, jurisdiction: question.jurisdiction, steps };
    }
  }
  throw new Error("the last rung always decides");
}

const step = (rung, detail) => ({ rung, decided: false, detail });

/** The action in force at `now` (Unix seconds), or null before the first phase. */
function actionAt(rule, now) {
  const begun = rule.phases.filter(([start]) => start <= now);
  return begun.length ? begun[begun.length - 1][1] : null;
}

/** Empty when the condition fits; else the first part that does not, for the trace. */
function whyNot(condition, question) {
  for (const [name, wanted, found] of conditionParts(condition, question)) {
    if (!wanted || found.some((value) => wanted.has(value))) continue;
    if (name === "service") return "it names other services";
    return `${name} is ${[...found].map(String).sort().join(", ") || "unknown"}`;
  }
  return "";
}

/** Each part of a condition with what the question holds for it, in the order of the core. */
function conditionParts(condition, { listing, jurisdiction, place, group, marks }) {
  const service = listing?.service;
  const known = (value) => (value ? [value] : []);
  return [
    ["service", condition.services, known(service?.id)],
    ["category", condition.categories, known(service?.category)],
    ["stance", condition.stances, known(service?.stance)],
    ["group", condition.groups, known(group)],
    ["host", condition.hosts, [...marks]],
    ["operator", condition.operators, jurisdiction.operator?.chain ?? []],
    ["control", condition.control, jurisdiction.control],
    ["location", condition.location, known(place.country)],
    ["network", condition.networks, known(place.asn)],
    ["powers", condition.powers, jurisdiction.powers.map((power) => power.id)],
    ["standing", condition.standing, [jurisdiction.standing]],
    ["verification", condition.verification, known(listing?.verification)],
  ];
}

/** Whether the rule fits only because of a fact that nobody has verified. */
function restsOnRecalled({ condition }, { listing, place }) {
  const byListing = condition.services || condition.categories || condition.stances;
  const byOperator = condition.operators || condition.control || condition.powers || condition.standing;
  if (condition.hosts || !(byListing || byOperator || condition.verification)) return false;
  if (listing) return listing.verification === "recalled";
  return place.operator?.verification === "recalled";
}
