// Which hosts of a page's links are stopped, and what to say of them. Decided here, told to nobody.

import { makeReply, useOf } from "../core/reply.js";
import { headline } from "../core/sentences.js";
import * as browser from "./browser.js";
import { PROMPT } from "./keeper.js";
import { languageNamed, readersCode } from "./texts.js";

const MAX_HOSTS = 200;

/**
 * The verdict on a URL or host when it is stopped for this person now, else null.
 * @param {import("./keeper.js").Keeper} keeper @param {string} url
 */
export async function stopped(keeper, url) {
  const { verdict, lifted } = await keeper.judge(url);
  return verdict.passes || lifted ? null : verdict;
}

/**
 * @typedef {object} Mark what the sign beside a link says
 * @property {string} title
 * @property {{text: string, url: string} | null} open the alternative
 * @property {{text: string, reply: string, done: string, failed: string} | null} copy
 * @property {string} explain the text that leads to the prompt
 */

/**
 * @param {import("./keeper.js").Keeper} keeper @param {string[]} hosts from a page: not to be trusted
 * @returns {Promise<Record<string, Mark>>} by host, only those that are stopped
 */
export async function stoppedAmong(keeper, hosts) {
  const decider = await keeper.decider();
  if (!decider || !Array.isArray(hosts)) return {};
  const { policy } = decider.knowledge;
  const language = await languageNamed(readersCode(policy.language));
  const found = {};
  for (const host of hosts.slice(0, MAX_HOSTS).map(String)) {
    const verdict = await stopped(keeper, host);
    if (verdict) found[host] = markOf(verdict, host, policy, language);
  }
  return found;
}

function markOf(verdict, host, policy, language) {
  const { alternative } = verdict;
  const name = { alternative: alternative?.name };
  const offer = alternative ? ` ${language.say("You can use %(alternative)s instead.", name)}` : "";
  return {
    title: `${headline(verdict, language)}.${offer}`,
    open: alternative?.url ? { text: language.say("Open %(alternative)s", name), url: alternative.url } : null,
    copy: useOf(verdict) === "alone" ? null : copyOf(makeReply(verdict, policy, language, host), language),
    explain: language.say(verdict.action === "block" ? "Ask for an exception" : "Go on all the same"),
  };
}

function copyOf({ text }, language) {
  return {
    text: language.say("Copy the reply"),
    reply: text,
    done: language.say("Copied. Paste it into your message."),
    failed: language.say("It could not be copied from this page. The next entry leads to it."),
  };
}

/** Open the prompt of a link in a new tab, if there is something to explain. @param {unknown} url from a page */
export async function explain(keeper, url) {
  const wanted = String(url);
  if (/^https?:/.test(wanted) && (await stopped(keeper, wanted))) {
    await browser.openTab(`${browser.pageAddress(PROMPT)}#${wanted}`);
  }
}
