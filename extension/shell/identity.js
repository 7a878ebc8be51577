// Who the person is to the API. The proxy vouches for them, and is asked through itself; where no
// proxy is in the way nobody can, and the extension works on alone. Nothing of it goes to the disk.

import * as browser from "./browser.js";

const MAGIC = "http://sovproxy.internal";
const TIMEOUT = 3_000;
const MAX_CHARACTERS = 16_384;
const MARGIN = 60; // seconds before the end at which a new token is asked for
const PAUSE = 50; // seconds after which a proxy that did not answer is asked again

/** @typedef {{token: string, client: string, group: string, until: number, api: string}} Identity */

/**
 * Who the person is; null when no proxy says so. @param {{anew?: boolean}} [how]
 * @returns {Promise<Identity | null>}
 */
export async function identity({ anew = false } = {}) {
  const now = Date.now() / 1000;
  const known = await knownIdentity();
  if (known && known.until - MARGIN > now) return known;
  const missed = (await browser.remembered("nobody")) ?? 0;
  if (!anew && missed + PAUSE > now) return null;
  const found = await askProxy(now).catch(() => null);
  await browser.remember(found ? { identity: found, nobody: 0 } : { identity: null, nobody: now });
  return found;
}

/** The same without asking anybody. @returns {Promise<Identity | null>} */
export async function knownIdentity() {
  const known = await browser.remembered("identity");
  return known && known.until > Date.now() / 1000 ? known : null;
}

/** The API does not know the token: ask for another the next time. */
export const forgetIdentity = () => browser.forget(["identity"]);

/** Whether the proxy lets the person pass to a host now; null when none answers. @param {string} host */
export async function passesAtProxy(host) {
  const found = await askMagic(`/passes?host=${encodeURIComponent(host)}`).catch(() => null);
  return typeof found?.passes === "boolean" ? found.passes : null;
}

async function askMagic(path) {
  const answer = await fetch(MAGIC + path, {
    headers: { "x-sovproxy-extension": "1" },
    cache: "no-store",
    credentials: "omit",
    redirect: "error",
    referrerPolicy: "no-referrer",
    signal: AbortSignal.timeout(TIMEOUT),
  });
  const text = await answer.text();
  return answer.ok && text.length <= MAX_CHARACTERS ? JSON.parse(text) : null;
}

async function askProxy(now) {
  const found = await askMagic("/worker");
  if (!found) return null;
  const { token, client, group, until, api } = found;
  const texts = [token, client, group, api].every((value) => typeof value === "string");
  const lasts = Number.isFinite(until) && until > now && until < now + 2 * 3600;
  return texts && lasts ? { token, client, group, until, api } : null;
}
