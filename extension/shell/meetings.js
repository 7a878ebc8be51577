// Meetings that no catalogue knows: noticed here, told to the person once. Only where the
// administration asks for it, the API is told that there was one: never by whom.

import { isForTheCount, isWorthNotice } from "../core/noticing.js";
import * as browser from "./browser.js";
import { call, Refused, Unreachable } from "./sharing.js";
import { languageNamed, readersCode } from "./texts.js";

const MEETINGS = "meetings";
const COUNTED = "counted";
const MAX_SITES = 200;

/**
 * A page holds a meeting. The button gets a mark the first time that its site does so.
 * @param {import("./keeper.js").Keeper} keeper
 * @param {{tab: number, url: string, isPrivate: boolean}} sender as the browser names it
 */
export async function noteMeeting(keeper, { tab, url, isPrivate }) {
  const decider = await keeper.decider();
  if (!decider) return;
  const { destination, verdict } = await keeper.judge(url);
  if (!isWorthNotice(verdict)) return;
  const site = destination.host || destination.address;
  const told = await sites();
  if (!told.some((it) => it.site === site && it.tab === tab)) {
    await browser.remember({ [MEETINGS]: [...told, { site, tab }].slice(-MAX_SITES) });
  }
  if (!told.some((it) => it.site === site)) {
    const language = await languageNamed(readersCode(decider.knowledge.policy.language));
    await browser.badge(tab, "!", `sovproxy: ${sayMeeting(site, language)}`);
  }
  if (!isPrivate && isForTheCount(verdict, destination)) await report(keeper, destination.host, verdict.jurisdiction.standing);
}

/** Have a host counted, once a day, if the administration has asked for that. */
async function report(keeper, host, standing) {
  if ((await browser.managedSettings()).report_unknown_meetings !== true) return;
  const today = new Date().toISOString().slice(0, 10);
  const { day, hosts } = (await browser.remembered(COUNTED)) ?? {};
  const counted = day === today ? hosts : [];
  if (counted.includes(host) || counted.length >= MAX_SITES) return;
  await browser.remember({ [COUNTED]: { day: today, hosts: [...counted, host] } });
  try {
    await call(await keeper.api(), "/meetings", { method: "POST", body: { host, standing } });
  } catch (error) {
    if (!(error instanceof Unreachable || error instanceof Refused)) throw error; // a count more or less
  }
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
