// What was granted here or at the API the proxy hears of a moment later: ask it until it has.

import { passesAtProxy } from "./identity.js";

const PAUSE = 100;
const LONGEST = 5_000; // the proxy follows the API within two seconds

/** Return when the proxy lets the person pass to a host, or no proxy is there, or it takes too long. */
export async function untilHeard(host) {
  for (const end = Date.now() + LONGEST; Date.now() < end; ) {
    if ((await passesAtProxy(host)) !== false) return;
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}
