// Which hosts of a page's links are stopped, and what to say of them. Decided here, told to nobody.

import { headline } from "../core/sentences.js";
import { languageNamed, readersCode } from "./texts.js";

const MAX_HOSTS = 200;

/**
 * @param {import("./keeper.js").Keeper} keeper @param {string[]} hosts from a page: not to be trusted
 * @returns {Promise<Record<string, {title: string}>>} by host, only those that are stopped
 */
export async function stoppedAmong(keeper, hosts) {
  const decider = await keeper.decider();
  if (!decider || !Array.isArray(hosts)) return {};
  const language = await languageNamed(readersCode(decider.knowledge.policy.language));
  const found = {};
  for (const host of hosts.slice(0, MAX_HOSTS)) {
    const { verdict } = await keeper.judge(String(host));
    if (!verdict.passes) found[host] = { title: title(verdict, language) };
  }
  return found;
}

function title(verdict, language) {
  const { alternative } = verdict;
  const offer = alternative ? ` ${language.say("You can use %(alternative)s instead.", { alternative: alternative.name })}` : "";
  return `${headline(verdict, language)}.${offer}`;
}
