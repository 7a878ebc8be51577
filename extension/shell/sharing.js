// What the person does here is told to the API, and so holds at the proxy; what was granted there
// holds here. Nothing is told but what a click says; what cannot be told now waits: for a day at
// most, and over the browser's close, but for private windows, which leave nothing behind.

import { uuid7 } from "../core/ids.js";
import * as browser from "./browser.js";
import { forgetIdentity, identity } from "./identity.js";

const TIMEOUT = 10_000;
const SHORT = 2_000; // for what the person waits for
const MAX_WAITING = 20;
const LONGEST_WAIT = 24 * 3_600_000; // milliseconds; what was gone on to long ago is no news
const MAX_CHARACTERS = 4 * 1024 * 1024;
const NONE = { version: "", acknowledgements: [], exceptions: [] };

/** Nobody vouches for the person, or the API cannot be reached: try again later. */
export class Unreachable extends Error {}

/** The API has refused; `message` says why, `reason` is the slug of the problem's type. */
export class Refused extends Error {
  constructor(message, reason = "") {
    super(message);
    this.reason = reason;
  }
}

/**
 * Ask the API as the person. Raises Unreachable, Refused.
 * @param {string} api @param {string} path below /api/v1
 * @param {{method?: string, body?: object, headers?: Record<string, string>, timeout?: number}} [more]
 * @returns {Promise<any>} the answer's JSON; null when nothing has changed, or there is nothing to say
 */
export async function call(api, path, { method = "GET", body, headers = {}, timeout = TIMEOUT } = {}) {
  const me = api && (await identity({ anew: method !== "GET" })); // after a click, try once more
  if (!me) throw new Unreachable("no proxy says who you are");
  const answer = await send(`${api}/api/v1${path}`, {
    method,
    headers: { ...headers, authorization: `Bearer ${me.token}`, ...(body && { "content-type": "application/json" }) },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(timeout),
  });
  if (answer.status === 304 || answer.status === 204) return null;
  return read(answer);
}

async function send(url, options) {
  const always = { cache: "no-store", credentials: "omit", redirect: "error", referrerPolicy: "no-referrer" };
  try {
    return await fetch(url, { ...always, ...options });
  } catch (error) {
    throw new Unreachable(error.message);
  }
}

async function read(answer) {
  const text = await answer.text().catch(() => "");
  const content = text.length <= MAX_CHARACTERS ? parsed(text) : null;
  if (answer.status === 401) await forgetIdentity();
  if ([401, 429].includes(answer.status) || answer.status >= 500 || !content) throw new Unreachable(`${answer.status}`);
  if (!answer.ok) throw new Refused(String(content.detail ?? answer.status), String(content.type ?? "").split(":").at(-1));
  return content;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** A fresh id for something that may be sent twice. */
export const newId = () => uuid7(Date.now(), crypto.getRandomValues(new Uint8Array(10)));

/** What lets the person pass, as the API said last. @returns {Promise<typeof NONE>} */
export const knownPermissions = async () => (await browser.remembered("permissions")) ?? NONE;

/** Learn what lets the person pass; true when it is something else than before. @param {string} api */
export async function refreshPermissions(api) {
  const { version } = await knownPermissions();
  const headers = version ? { "if-none-match": `"${version}"` } : {};
  try {
    const found = await call(api, "/my/permissions", { headers });
    if (found) await browser.remember({ permissions: found });
    return Boolean(found);
  } catch (error) {
    if (error instanceof Unreachable || error instanceof Refused) return false; // what is known holds
    throw error;
  }
}

/**
 * Tell the API that the person goes on, at once or later. Raises Refused when it is not for them to.
 * @param {string} api @param {{subject: string, host: string, reason: string, detail: string}} what
 * @returns {Promise<boolean>} whether the API knows it now
 */
export async function tellAcknowledged(api, { subject, host, reason, detail = "" }) {
  const told = { id: newId(), subject, host, reason, detail, time: new Date().toISOString() };
  try {
    await call(api, "/my/acknowledgements", { method: "POST", body: told, timeout: SHORT });
    return true;
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    await changeWaiting((waiting) => [...waiting, told].slice(-MAX_WAITING));
    return false;
  }
}

/** Tell what has waited. @param {string} api */
export async function tellWaiting(api) {
  for (const told of await browser.keptBack()) {
    if (Date.now() - Date.parse(told.time) < LONGEST_WAIT) {
      try {
        await call(api, "/my/acknowledgements", { method: "POST", body: told });
      } catch (error) {
        if (error instanceof Unreachable) return;
        // refused: the policy has changed since; there is nothing more to tell
      }
    }
    await changeWaiting((waiting) => waiting.filter(({ id }) => id !== told.id));
  }
}

function changeWaiting(change) {
  return navigator.locks.request("waiting", async () => browser.keepBack(change(await browser.keptBack())));
}
