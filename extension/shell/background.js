// The wiring: what happens when.

import * as browser from "./browser.js";
import { Keeper, TURN } from "./keeper.js";

const REFRESH = "refresh";
const REFRESH_MINUTES = 1;

const keeper = new Keeper();

browser.onStart(async () => {
  await keeper.enforce();
  await keeper.refresh();
});
browser.every(REFRESH, REFRESH_MINUTES, () => keeper.refresh());
browser.onWake((name) => {
  if (name === TURN) keeper.enforce();
});
browser.onMessage(async ({ kind, subject }) => {
  if (kind === "refresh") return keeper.refresh();
  if (kind === "acknowledge") return keeper.acknowledge(subject);
  throw new Error(`nobody knows how to ${kind}`);
});
