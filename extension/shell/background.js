// The wiring: what happens when.

import * as browser from "./browser.js";
import { Keeper, TURN } from "./keeper.js";
import { explainRefusals } from "./errors.js";
import { followPages } from "./pages.js";
import { explain, stoppedAmong } from "./links.js";
import { noteMeeting } from "./meetings.js";
import { answerMenu, placeMenu } from "./menus.js";
import { placeScripts } from "./scripts.js";

const REFRESH = "refresh";
const REFRESH_MINUTES = 1;

const keeper = new Keeper();
followPages(keeper);
explainRefusals(keeper);
answerMenu();

browser.onStart(async () => {
  await placeScripts();
  await keeper.enforce();
  await keeper.refresh();
  await keeper.share();
  await placeMenu(keeper);
});
browser.onSettings((names) => {
  if (names.some((name) => ["mark_links_on", "notice_meetings"].includes(name))) placeScripts();
  if (names.includes("kept")) placeMenu(keeper); // its language may have changed
});
browser.every(REFRESH, REFRESH_MINUTES, async () => {
  await keeper.refresh();
  await keeper.share();
});
browser.onWake((name) => {
  if (name === TURN) keeper.enforce();
});
browser.onMessage(async ({ kind, hosts, url, what }, { ownPage, ...sender }) => {
  if (kind === "links") return stoppedAmong(keeper, hosts);
  if (kind === "explain") return explain(keeper, url);
  if (kind === "meeting") return noteMeeting(keeper, sender);
  if (!ownPage) throw new Error("only our own pages may ask that"); // a content script is on foreign ground
  if (kind === "refresh") return keeper.refresh();
  if (kind === "share") return keeper.share();
  if (kind === "acknowledge") return keeper.acknowledge(what);
  throw new Error(`nobody knows how to ${kind}`);
});
