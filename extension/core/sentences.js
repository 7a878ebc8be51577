// In whose hands a destination is, in one plain sentence, as `sovproxy/prompt/sentences.py` says it.

/** What the page's first line is. */
const HEADLINES = {
  "block true": "%(service)s cannot be opened here",
  "block false": "This site cannot be opened here",
  "warn true": "Before you open %(service)s",
  "warn false": "Before you open this site",
};

/** The first clause: whether the operator runs the service itself, and whether a parent is named. */
const WHO = {
  "true false": "%(subject)s is operated by %(operator)s and so answers to %(law)s",
  "true true":
    "%(subject)s is operated by %(operator)s, which belongs to %(parent)s, and so answers to %(law)s",
  "false false": "%(subject)s is on the network of %(operator)s and so answers to %(law)s",
  "false true":
    "%(subject)s is on the network of %(operator)s, which belongs to %(parent)s, and so answers to %(law)s",
};

/** @param {import("./language.js").Language} language */
export function headline(verdict, language) {
  const action = verdict.action === "warn" ? "warn" : "block";
  return language.say(HEADLINES[`${action} ${Boolean(verdict.service)}`], { service: verdict.service?.name ?? "" });
}

/** The destination as the beginning of a sentence. */
export function subject(verdict, language) {
  if (!verdict.service) return language.say("This site");
  return language.sayIn("beginning of a sentence", "%(service)s", { service: verdict.service.name });
}

/** Who holds it, which law reaches it, what that law can do. @param {Set<string>} trustZone */
export function inWhoseHands(verdict, trustZone, language) {
  const hands = foreignHands(verdict, trustZone);
  if (!hands) return withoutForeignHands(verdict, language);
  const who = whoHolds(hands, verdict, language);
  const reach = whatLawCan(hands.country, verdict, language);
  return reach ? language.say("%(who)s: %(reach)s.", { who, reach }) : language.say("%(who)s.", { who });
}

function foreignHands({ service, jurisdiction }, trustZone) {
  const powerful = new Set(jurisdiction.powers.map((power) => power.country));
  const ofService = service?.operator ?? null;
  for (const operator of [ofService, jurisdiction.operator, jurisdiction.place.operator]) {
    const chain = operator ? foreignChain(operator, trustZone, operator === ofService) : [];
    if (chain.length) return chain.find((hands) => powerful.has(hands.country)) ?? chain[0];
  }
  const { country } = jurisdiction.place;
  return country && !trustZone.has(country) ? { country, operator: null, parent: null, runs: false } : null;
}

/** Every entity of the operator's chain that a country outside the trust zone holds. */
function foreignChain(operator, trustZone, runs) {
  const chain = [];
  if (!trustZone.has(operator.country)) {
    const parent = operator.parents.find((it) => it.country === operator.country) ?? null;
    chain.push({ country: operator.country, operator, parent, runs });
  }
  for (const parent of [...operator.parents].reverse()) {
    if (!trustZone.has(parent.country)) chain.push({ country: parent.country, operator, parent, runs });
  }
  return chain;
}

function whoHolds({ country, operator, parent, runs }, verdict, language) {
  const values = { subject: subject(verdict, language), law: language.lawOf(country) };
  if (!operator) return language.say("%(subject)s is on a server that answers to %(law)s", values);
  const text = WHO[`${runs} ${Boolean(parent)}`];
  return language.say(text, { ...values, operator: operator.name, parent: parent?.name ?? "" });
}

/** What that country's powers in force can do; a lapsed power is left to the details. */
function whatLawCan(country, { jurisdiction }, language) {
  const inForce = jurisdiction.powers.filter((it) => it.country === country && it.status === "in_force");
  const effects = new Set(inForce.map((power) => power.effect));
  if (effects.has("disclose") && effects.has("cut_off")) {
    return language.say("the authorities there can demand the data it holds and have the service cut off");
  }
  if (effects.has("disclose")) return language.say("the authorities there can demand the data it holds");
  if (effects.has("cut_off")) return language.say("the authorities there can have the service cut off");
  return "";
}

function withoutForeignHands(verdict, language) {
  if (verdict.rule === "refused-network") {
    return language.say("This address belongs to a network that nobody may reach from here.");
  }
  if (!verdict.jurisdiction.control.length) {
    return language.say("It is not known who operates this site or which law it answers to.");
  }
  return language.say(
    "%(subject)s answers to a law that is accepted here, but your organisation has chosen otherwise for this use.",
    { subject: subject(verdict, language) },
  );
}
