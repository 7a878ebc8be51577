// Which content scripts run where: as the administration has set it, else as the person has.

import { matchPatterns } from "../core/noticing.js";
import * as browser from "./browser.js";
import { MAIL_AND_CALENDARS } from "./sites.js";

/** @returns {Promise<{markOn: string[], notice: boolean}>} */
export async function scriptSettings() {
  const managed = await browser.managedSettings();
  const markOn = managed.mark_links_on ?? (await browser.stored("mark_links_on")) ?? MAIL_AND_CALENDARS;
  return { markOn, notice: managed.notice_meetings ?? true };
}

/** Register the scripts that the settings want, and no others. */
export async function placeScripts() {
  const { markOn, notice } = await scriptSettings();
  const everyPage = { matches: ["http://*/*", "https://*/*"], runAt: "document_start", allFrames: true };
  const marked = matchPatterns(markOn);
  const links = { id: "links", js: ["content/links.js"], matches: marked, runAt: "document_idle", allFrames: true, matchOriginAsFallback: true };
  const scripts = [
    marked.length && links,
    notice && { id: "meeting", js: ["content/meeting.js"], ...everyPage },
    notice && { id: "meeting-page", js: ["content/meeting-page.js"], world: "MAIN", ...everyPage },
  ];
  await browser.replaceScripts(scripts.filter(Boolean));
}
