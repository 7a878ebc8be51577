// What the open pages load: host names and counts, in the session's memory only, gone with the tab.

import { sayStanding } from "../core/hands.js";
import * as browser from "./browser.js";
import { pictures } from "./icon.js";
import { languageNamed, readersCode } from "./texts.js";

const MAX_HOSTS = 500;
const nameOf = (tab) => `tab ${tab}`;

/** @typedef {{host: string, hosts: Record<string, number>}} Loaded */

/** @param {number} tab @returns {Promise<Loaded>} */
export async function loadedBy(tab) {
  return (await browser.remembered(nameOf(tab))) ?? { host: "", hosts: {} };
}

/** Follow the pages, and show each one's standing on the button. @param {import("./keeper.js").Keeper} keeper */
export function followPages(keeper) {
  const waiting = new Map();
  browser.watchPages({
    onPage: (tab, url) => begin(keeper, tab, url),
    onRequest: (tab, url) => count(waiting, tab, url),
    onClosed: (tab) => browser.forget([nameOf(tab)]),
  });
}

async function begin(keeper, tab, url) {
  if (!/^https?:/.test(url)) return;
  await browser.remember({ [nameOf(tab)]: { host: new URL(url).hostname, hosts: {} } });
  const decider = await keeper.decider();
  if (!decider) return;
  const { verdict } = await keeper.judge(url);
  const { standing } = verdict.jurisdiction;
  const language = await languageNamed(readersCode(decider.knowledge.policy.language));
  await browser.showOnButton(tab, pictures(standing), `sovproxy: ${sayStanding(standing, language)}`);
}

/** Count soon, not at once: a page loads a hundred things in a moment. */
function count(waiting, tab, url) {
  const hosts = waiting.get(tab) ?? {};
  const { hostname } = new URL(url);
  hosts[hostname] = (hosts[hostname] ?? 0) + 1;
  if (!waiting.has(tab)) setTimeout(() => settle(waiting, tab), 250);
  waiting.set(tab, hosts);
}

async function settle(waiting, tab) {
  const fresh = waiting.get(tab);
  waiting.delete(tab);
  const loaded = await loadedBy(tab);
  for (const [host, number] of Object.entries(fresh)) {
    const known = host in loaded.hosts || Object.keys(loaded.hosts).length < MAX_HOSTS;
    if (known) loaded.hosts[host] = (loaded.hosts[host] ?? 0) + number;
  }
  await browser.remember({ [nameOf(tab)]: loaded });
}
