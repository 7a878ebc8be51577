// Meetings that no catalogue knows: noticed here, told to the person once, and to nobody else.

import { isWorthNotice } from "../core/noticing.js";
import * as browser from "./browser.js";
import { languageNamed, readersCode } from "./texts.js";

const MEETINGS = "meetings";
const MAX_SITES = 200;

/**
 * A page holds a meeting. The button gets a mark the first time that its site does so.
 * @param {import("./keeper.js").Keeper} keeper @param {{tab: number, url: string}} sender as the browser names it
 */
export async function noteMeeting(keeper, { tab, url }) {
  const decider = await keeper.decider();
  if (!decider) return;
  const { destination, verdict } = await keeper.judge(url);
  if (!isWorthNotice(verdict)) return;
  const site = destination.host || destination.address;
  const told = await sites();
  if (told.some((it) => it.site === site && it.tab === tab)) return;
  await browser.remember({ [MEETINGS]: [...told, { site, tab }].slice(-MAX_SITES) });
  if (told.some((it) => it.site === site)) return;
  const language = await languageNamed(readersCode(decider.knowledge.policy.language));
  await browser.badge(tab, "!", `sovproxy: ${sayMeeting(site, language)}`);
}

/** What was noticed in a tab since the browser started. @returns {Promise<string[]>} hosts */
export async function meetingsIn(tab) {
  return (await sites()).filter((it) => it.tab === tab).map((it) => it.site);
}

/** One sentence for the person. */
export function sayMeeting(site, language) {
  return language.say("A meeting takes place on %(site)s, outside the services that your organisation knows.", { site });
}

async function sites() {
  return (await browser.remembered(MEETINGS)) ?? [];
}
