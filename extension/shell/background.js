// The wiring: what happens when.

import * as browser from "./browser.js";
import { Keeper, TURN } from "./keeper.js";
import { followPages } from "./pages.js";
import { stoppedAmong } from "./links.js";

const REFRESH = "refresh";
const REFRESH_MINUTES = 1;

const keeper = new Keeper();
followPages(keeper);

browser.onStart(async () => {
  await keeper.enforce();
  await keeper.refresh();
});
browser.every(REFRESH, REFRESH_MINUTES, () => keeper.refresh());
browser.onWake((name) => {
  if (name === TURN) keeper.enforce();
});
browser.onMessage(async ({ kind, subject, hosts }, { ownPage }) => {
  if (kind === "links") return stoppedAmong(keeper, hosts);
  if (!ownPage) throw new Error("only our own pages may ask that"); // a content script is on foreign ground
  if (kind === "refresh") return keeper.refresh();
  if (kind === "acknowledge") return keeper.acknowledge(subject);
  throw new Error(`nobody knows how to ${kind}`);
});
