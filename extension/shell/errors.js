// Where the browser shows an error page because the proxy refused, our explanation takes its place.

import * as browser from "./browser.js";
import { PROMPT } from "./keeper.js";
import { stopped } from "./links.js";

/** The person stopped it, or went elsewhere: Chromium's name, and Firefox's number for NS_BINDING_ABORTED. */
const ABORTED = ["net::ERR_ABORTED", String(0x804b0002)];

/**
 * Explain failed pages. A refused CONNECT, a closed connection and a certificate that is not trusted
 * all look like a failure of the network; that the policy is the reason, our own decision tells.
 * @param {import("./keeper.js").Keeper} keeper
 */
export function explainRefusals(keeper) {
  browser.onPageError(async ({ tab, url, error }) => {
    if (ABORTED.some((name) => error.endsWith(name)) || !/^https?:/.test(url)) return;
    if (!(await keeper.decider()) || !(await stopped(keeper, url))) return;
    await browser.showIn(tab, `${browser.pageAddress(PROMPT)}#${url}`);
  });
}
