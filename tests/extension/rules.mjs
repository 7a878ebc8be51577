// Compiles a bundle to rules, and reads them as the standard of declarativeNetRequest has it: the
// highest priority decides, and of equals `allow`. Prints the hosts where rules and decider differ.

import { readFileSync } from "node:fs";
import { readBundle } from "../../extension/core/bundle.js";
import { Decider, NOWHERE } from "../../extension/core/decider.js";
import { compileRules } from "../../extension/core/rules.js";

const { bundle, now, lifted } = JSON.parse(readFileSync(0, "utf8"));
const decider = new Decider(readBundle(bundle));
const situation = {
  now,
  group: "",
  lifted: (verdict) => lifted.includes(verdict.service?.id),
  prompt: "chrome-extension://abcdefghijklmnopabcdefghijklmnop/prompt.html",
};
const rules = compileRules(decider, situation);

function fits({ requestDomains, regexFilter }, host, url) {
  const within = (domain) => host === domain || host.endsWith(`.${domain}`);
  return (requestDomains ?? [""]).some((it) => it === "" || within(it)) && new RegExp(regexFilter).test(url);
}

function stoppedByRules(host) {
  const url = `https://${host}/a?b`;
  const fitting = rules.filter((rule) => fits(rule.condition, host, url));
  const highest = Math.max(...fitting.map((rule) => rule.priority));
  const deciding = fitting.filter((rule) => rule.priority === highest);
  return deciding.length > 0 && deciding.every((rule) => rule.action.type === "redirect");
}

function stoppedByDecider(host) {
  const destination = { host, address: "", port: 443, chosenBy: "" };
  const verdict = decider.decide(destination, NOWHERE, now);
  return !verdict.passes && !situation.lifted(verdict);
}

const hosts = new Set();
for (const pattern of decider.knowledge.hosts.patterns()) {
  const name = pattern.replace(/^\*\./, "");
  for (const host of [name, `below.${name}`, `far.below.${name}`, `not${name}`]) hosts.add(host);
}
const compared = [...hosts].map((host) => [host, stoppedByRules(host), stoppedByDecider(host)]);
console.log(
  JSON.stringify({
    hosts: compared.length,
    stopped: compared.filter(([, byRules]) => byRules).length,
    different: compared.filter(([, byRules, byDecider]) => byRules !== byDecider),
    rules: rules.length,
    regexes: rules.filter((rule) => rule.condition.regexFilter).length,
    longest: Math.max(...rules.map((rule) => rule.condition.regexFilter.length)),
    ids: new Set(rules.map((rule) => rule.id)).size,
  }),
);
