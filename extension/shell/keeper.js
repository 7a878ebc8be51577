// Keeps the last good bundle and the rules that follow from it. All state is in the browser's
// storage: the worker that runs this may be ended at any time.

import { readBundle } from "../core/bundle.js";
import { Decider } from "../core/decider.js";
import { isLifted, patternsOfExceptions, subjectOf } from "../core/lifting.js";
import { nextTurningPoint } from "../core/moments.js";
import { readDestination } from "../core/normalise.js";
import { compileRules } from "../core/rules.js";
import { openBundle } from "../core/signature.js";
import * as browser from "./browser.js";
import { identity, knownIdentity } from "./identity.js";
import { knownPermissions, refreshPermissions, tellAcknowledged, tellWaiting } from "./sharing.js";

export { subjectOf };

const TIMEOUT = 10_000;
const MAX_BYTES = 16 * 1024 * 1024;
export const PROMPT = "pages/prompt.html";
export const TURN = "turn";

/**
 * What stands in the storage beside settings.
 * @typedef {{bundle: object, etag: string, keys: {keys: JsonWebKey[]}, fetched: number}} Kept
 * @typedef {{subject: string, until: number}} Lift a service id or host that may be passed for a while
 */

export class Keeper {
  /** @type {Decider | null} */
  #decider = null;

  /** Where the administration's API is; empty when nobody has said so. @returns {Promise<string>} */
  async api() {
    const managed = await browser.managedSettings();
    const chosen = managed.api || (await browser.stored("api")) || "";
    return String(chosen).replace(/\/+$/, "");
  }

  /** The decider of the last good bundle, or null when there was none yet. */
  async decider() {
    if (!this.#decider) {
      const kept = await browser.stored("kept");
      this.#decider = kept ? new Decider(readBundle(kept.bundle)) : null;
    }
    return this.#decider;
  }

  /** Take over the newest bundle. What is not good is noted, and the last good one stays. */
  async refresh() {
    try {
      await this.#fetch();
      await browser.store({ problem: "" });
    } catch (error) {
      await browser.store({ problem: error.message });
    }
  }

  async #fetch() {
    const api = await this.api();
    if (!api) throw new Error("no API is set: see the options");
    const kept = await browser.stored("kept");
    const headers = kept ? { "if-none-match": kept.etag } : {};
    const answer = await get(`${api}/api/v1/bundle`, headers);
    if (answer.status === 304) return;
    const keys = await this.#keys(api, kept);
    const bundle = await openBundle(await bounded(answer), keys);
    const decider = new Decider(readBundle(bundle));
    const etag = answer.headers.get("etag") ?? "";
    await browser.store({ kept: { bundle, etag, keys, fetched: Date.now() / 1000 } });
    this.#decider = decider;
    await this.enforce();
  }

  /** The keys to trust: the administration's, else those that the API showed at first. */
  async #keys(api, kept) {
    const { keys } = await browser.managedSettings();
    if (keys) return typeof keys === "string" ? JSON.parse(keys) : keys;
    return kept?.keys ?? (await get(`${api}/api/v1/bundle/keys`)).json();
  }

  /** Put the rules of this moment in force, and wake up when the next moment comes. */
  async enforce() {
    const decider = await this.decider();
    if (!decider) return;
    const now = Date.now() / 1000;
    const permissions = await this.permissions();
    const situation = {
      now,
      group: (await knownIdentity())?.group ?? "",
      lifted: (verdict, host) => isLifted(verdict, host, permissions, now),
      patterns: patternsOfExceptions(permissions.exceptions),
      prompt: browser.pageAddress(PROMPT),
    };
    const lifts = [...permissions.acknowledgements, ...permissions.exceptions];
    await browser.replaceRules(compileRules(decider, situation));
    const next = nextTurningPoint(decider.knowledge.policy, lifts, now);
    if (next) browser.wakeAt(TURN, next);
  }

  /** What the person may pass, by what was clicked here and what the API says. */
  async permissions() {
    const { acknowledgements, exceptions } = await knownPermissions();
    return { acknowledgements: [...acknowledgements, ...(await this.lifts())], exceptions };
  }

  /** Tell the API what has waited, learn what it has granted, and put that in force. */
  async share() {
    const before = await knownIdentity();
    const me = await identity();
    const api = await this.api();
    await tellWaiting(api);
    const changed = await refreshPermissions(api);
    if (changed || (me?.group ?? "") !== (before?.group ?? "")) await this.enforce();
  }

  /** What was acknowledged here and holds now. @returns {Promise<Lift[]>} */
  async lifts() {
    const all = (await browser.stored("lifts")) ?? [];
    return all.filter(({ until }) => until > Date.now() / 1000);
  }

  /**
   * Let the person pass a warning for as long as the policy says. The API is told first, so that it
   * holds at the proxy, too; where it cannot be reached it holds here, and is told later.
   * @param {{subject: string, host: string, reason: string, detail: string}} what
   */
  async acknowledge({ subject, host, reason, detail }) {
    const decider = await this.decider();
    const shared = await tellAcknowledged(await this.api(), { subject, host, reason, detail });
    const until = Date.now() / 1000 + decider.knowledge.policy.acknowledgement_seconds;
    const others = (await this.lifts()).filter((lift) => lift.subject !== subject);
    await browser.store({ lifts: [...others, { subject, until }] });
    await this.enforce();
    return { until, shared };
  }

  /** Judge a URL as the rules do; `lifted` tells whether the person may pass all the same. @param {string} url */
  async judge(url) {
    const decider = await this.decider();
    if (!decider) throw new Error("there is no policy yet");
    const destination = readDestination(url);
    const [now, group] = [Date.now() / 1000, (await knownIdentity())?.group ?? ""];
    const verdict = decider.decide(destination, undefined, now, group);
    const host = destination.host || destination.address;
    return { destination, verdict, lifted: isLifted(verdict, host, await this.permissions(), now) };
  }
}

async function get(url, headers = {}) {
  const options = { headers, cache: "no-store", credentials: "omit", redirect: "error" };
  const answer = await fetch(url, { ...options, signal: AbortSignal.timeout(TIMEOUT) });
  if (!answer.ok && answer.status !== 304) throw new Error(`${url} answered ${answer.status}`);
  return answer;
}

async function bounded(answer) {
  const text = await answer.text();
  if (text.length > MAX_BYTES) throw new Error(`the bundle is larger than ${MAX_BYTES} bytes`);
  return text;
}
