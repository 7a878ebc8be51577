// The compiled decider: one bundle, ready to judge destinations. The twin of
// `sovproxy/decide/decider.py`; `tests/cases/` runs through both.

import { HostIndex, PrefixIndex } from "./catalogue.js";
import { assess, controlOf, operatorOf } from "./jurisdiction.js";
import { climb } from "./ladder.js";
import { ChosenBy, stops, strictness } from "./words.js";

const INTERNAL = "\0internal";

/** Ends of names that nobody can own: ICANN's resolution 2024.07.29.06, RFC 6762, RFC 8375. */
const SET_APART = [".internal", ".local", ".home.arpa"];

/** What the databases say of an address when nobody asked them. */
export const NOWHERE = Object.freeze({ country: "", asn: 0, organisation: "", operator: null });

/** Judges destinations by one bundle. Replaced when the bundle changes, never changed. */
export class Decider {
  /** @param {import("./bundle.js").Knowledge} knowledge */
  constructor(knowledge) {
    this.knowledge = knowledge;
    const { policy } = knowledge;
    this.marks = new HostIndex(ownPatterns(policy));
    this.reaches = new PrefixIndex([
      ...policy.refusedNetworks.map((prefix) => [prefix, "refused"]),
      ...policy.internalNetworks.map((prefix) => [prefix, "internal"]),
    ]);
  }

  /**
   * Judge a destination that the databases put at `place`, at `now` (Unix seconds).
   * @param {import("./normalise.js").Destination} destination
   * @param {object} [place] @param {number} [now] @param {string} [group]
   */
  decide(destination, place = NOWHERE, now = 0, group = "") {
    if (destination.problem) return this.unreadable(destination);
    const asked = this.ask(destination, place, now, group);
    const rulings = this.identities(destination, place).map((listing) => ({
      listing,
      ...climb(this.question(listing, asked), this.knowledge.policy),
    }));
    const strictest = rulings.reduce((best, next) =>
      strictness(next.decision.action) > strictness(best.decision.action) ? next : best,
    );
    return this.dress(strictest, place);
  }

  ask({ host, address, chosenBy }, place, now, group) {
    const marks = new Set(host ? [...this.marks.all(host)].flat() : []);
    const reach = (address && this.reaches.find(address)) || "";
    const outer = reach === "internal" && chosenBy !== ChosenBy.CLIENT && isOuter(host);
    return { place, now, group, chosenBy, marks, reach, outer };
  }

  question(listing, { place, now, group, chosenBy, marks, reach, outer }) {
    const { policy, powers } = this.knowledge;
    return {
      listing,
      place,
      jurisdiction: assess(listing, place, policy.trustZone, powers),
      reach,
      internalName: chosenBy !== ChosenBy.CLIENT && !listing && marks.has(INTERNAL),
      outerName: outer && !listing,
      marks: new Set([...marks].filter((mark) => mark !== INTERNAL)),
      group,
      now,
    };
  }

  /** What the destination may be. When name and address disagree, both are judged. */
  identities({ host, address, port, chosenBy }, place) {
    const { hosts, prefixes } = this.knowledge;
    const byName = (host && hosts.find(host)) || null;
    const byPrefix = address ? prefixes.find(address) ?? this.onPort(address, port) : null;
    const byAddress = byPrefix ?? this.byNetwork(place, byName, !host || chosenBy === ChosenBy.CLIENT);
    if (!byAddress || !byName) return [byName ?? byAddress];
    return chosenBy === ChosenBy.NODE && !byAddress.exclusive ? [byName] : [byName, byAddress];
  }

  onPort(address, port) {
    for (const items of this.knowledge.ports.all(address)) {
      const found = items.find(({ first, last }) => first <= port && port <= last);
      if (found) return found.listing;
    }
    return null;
  }

  /** The service whose operator has the address's network for itself, where that counts. */
  byNetwork(place, byName, counts) {
    const listing = counts ? this.knowledge.networks.get(place.asn) ?? null : null;
    if (!listing || !byName) return listing;
    return listing.exclusive && !sameHouse(listing, byName) ? listing : null;
  }

  /** Make the verdict: adds the listing, its service and the service to offer. */
  dress({ decision, jurisdiction, steps, listing }, place) {
    const { policy } = this.knowledge;
    const service = listing?.service ?? null;
    return {
      action: decision.action,
      rule: decision.rule,
      policy: policy.id,
      policyVersion: policy.version,
      service,
      listing,
      jurisdiction: { ...jurisdiction, place },
      alternative: this.alternative(decision, service),
      message: decision.by?.message ?? {},
      softened: decision.softened,
      steps,
      why: decision.why,
      passes: !stops(decision.action),
    };
  }

  alternative({ action, by }, service) {
    if (action === "allow") return null;
    const { services, policy } = this.knowledge;
    if (by?.alternative) return services.get(by.alternative) ?? null;
    const offered = (service?.alternatives ?? []).map((id) => services.get(id));
    const sovereign = (it) => it?.url && controlOf(it.operator).every((country) => policy.trustZone.has(country));
    return offered.find(sovereign) ?? null;
  }

  unreadable({ problem }) {
    const why = `It cannot be read: it ${problem}.`;
    const rule = "unreadable-destination";
    const jurisdiction = { standing: "unknown", operator: null, place: NOWHERE, control: [], powers: [] };
    const decision = { action: "block", rule, why, by: null, softened: false };
    const steps = [{ rung: rule, decided: true, detail: why }];
    return { ...this.dress({ decision, jurisdiction, steps, listing: null }, NOWHERE), alternative: null };
  }
}

/** Whether a name is one that anybody may own: neither a single label nor set apart. @param {string} host */
function isOuter(host) {
  return host.includes(".") && !SET_APART.some((end) => host.endsWith(end));
}

/** Whether their operators are the same or have a parent in common. */
function sameHouse(one, other) {
  const [first, second] = [operatorOf(one), operatorOf(other)];
  return Boolean(first && second && first.chain.some((id) => second.chain.includes(id)));
}

/** The policy's own host patterns: internal domains (with all below them), and rules' hosts. */
function ownPatterns(policy) {
  const marks = new Map();
  const add = (pattern, mark) => marks.set(pattern, [...(marks.get(pattern) ?? []), mark]);
  for (const name of policy.internalDomains) {
    add(name, INTERNAL);
    add(`*.${name}`, INTERNAL);
  }
  for (const rule of policy.rules) for (const host of rule.condition.hosts ?? []) add(host, host);
  return marks;
}
