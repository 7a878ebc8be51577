// Reads the bundle that `sovproxy/enforce/bundle.py` writes into what the decider works with.

import { HostIndex, PrefixIndex } from "./catalogue.js";

const FORMAT = 1;

/** The bundle is not one that this extension can read; `message` says why. */
export class UnusableBundle extends Error {}

/**
 * @typedef {object} Knowledge
 * @property {object} policy
 * @property {Map<string, object>} services by id
 * @property {Map<string, object>} operators by id
 * @property {Map<string, object[]>} powers by country
 * @property {HostIndex} hosts @property {PrefixIndex} prefixes @property {PrefixIndex} ports
 * @property {Map<number, object>} networks by ASN
 */

/** @param {object} bundle parsed JSON @returns {Knowledge} */
export function readBundle(bundle) {
  if (bundle?.format !== FORMAT) {
    throw new UnusableBundle(`the bundle has format ${shown(bundle?.format)}; this extension reads ${FORMAT}`);
  }
  try {
    return assemble(bundle);
  } catch (error) {
    throw new UnusableBundle(`the bundle ${shown(bundle.version)} cannot be read: ${error.message}`);
  }
}

/** What is no text or number might not even turn into text. */
const shown = (value) => (["string", "number"].includes(typeof value) ? value : typeof value);

function assemble(bundle) {
  const source = (number) => ({ title: bundle.sources[number][0], asOf: bundle.sources[number][1] });
  const operators = readOperators(bundle.operators, source);
  const services = new Map(
    bundle.services.map((item) => [item.id, { ...item, operator: required(operators, item.operator) }]),
  );
  const powers = new Map();
  for (const power of bundle.powers) {
    powers.set(power.country, [...(powers.get(power.country) ?? []), { ...power, source: source(power.source) }]);
  }
  const listings = readListings(bundle.listings, services, operators, source);
  return { policy: readPolicy(bundle.policy), services, operators, powers, ...listings };
}

/** Each operator with the chain of ids and the countries that control it. */
function readOperators(items, source) {
  const operators = new Map(items.map((item) => [item.id, { ...item, source: source(item.source) }]));
  for (const operator of operators.values()) {
    operator.parents = operator.parents.map((id) => required(operators, id));
    operator.chain = [operator.id, ...operator.parents.map((parent) => parent.id)];
    operator.control = [...new Set([operator, ...operator.parents].map((it) => it.country))];
  }
  return operators;
}

function readListings(rows, services, operators, source) {
  const found = { host: [], prefix: [], network: [], ports: new Map() };
  for (const [kind, service, operator, verification, exclusive, from, ports, patterns] of rows) {
    const shared = {
      kind,
      service: service ? required(services, service) : null,
      operator: operator ? required(operators, operator) : null,
      verification,
      exclusive,
      source: source(from),
    };
    for (const pattern of patterns.split(" ")) {
      if (ports) addOnPorts(found.ports, withPattern(shared, pattern), ports);
      else found[kind].push([pattern, kind === "host" ? shared : withPattern(shared, pattern)]);
    }
  }
  return {
    hosts: new HostIndex(found.host, withPattern),
    prefixes: new PrefixIndex(found.prefix),
    ports: new PrefixIndex(found.ports),
    networks: new Map(found.network.map(([pattern, listing]) => [Number(pattern.slice(2)), listing])),
  };
}

/** A row of the bundle stands for many listings, which differ in their pattern alone. */
const withPattern = (shared, pattern) => ({ ...shared, pattern });

function addOnPorts(byPrefix, listing, [first, last]) {
  const items = byPrefix.get(listing.pattern) ?? [];
  byPrefix.set(listing.pattern, [...items, { listing, first, last }]);
}

function readPolicy(policy) {
  return {
    ...policy,
    trustZone: new Set(policy.trust_zone),
    trustRecalled: policy.trust_recalled,
    internalDomains: policy.internal_domains,
    internalNetworks: policy.internal_networks,
    refusedNetworks: policy.refused_networks,
    rules: policy.rules.map((rule) => ({
      ...rule,
      trustRecalled: rule.trust_recalled,
      condition: Object.fromEntries(
        Object.entries(rule.condition).map(([name, values]) => [name, new Set(values)]),
      ),
    })),
  };
}

function required(entries, id) {
  const entry = entries.get(id);
  if (!entry) throw new Error(`${id} is not in it`);
  return entry;
}
