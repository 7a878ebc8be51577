// Fuzzes the extension's reader of bundles: `node bundles.mjs NAME MATERIAL INPUTS SEED FOUND`.
// A batch of inputs that reaches what none reached before joins those that the next are made of.

import { readFileSync, writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { readBundle, UnusableBundle } from "../../extension/core/bundle.js";
import { openBundle } from "../../extension/core/signature.js";

const [name, material, inputs, seed, found] = process.argv.slice(2);
const { bundle, tokens, keys } = JSON.parse(readFileSync(material, "utf8"));
const BATCH = 25;
const CORE = "/extension/core/";
const KEPT = 200;
const NASTY = [
  null, true, -1, 0, 1e308, "", "__proto__", "constructor", "*.", "0.0.0.0/99", "::/0", "a/b/c", "\u0000", [], {}, [[]],
  { __proto__: null, toString: 1 }, JSON.parse('{"__proto__": {"polluted": 1}}'), "AS99999999999999999999", "x".repeat(300),
];

/** A small generator (mulberry32): the same seed gives the same inputs. */
function generator(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const chance = generator(Number(seed));
const below = (limit) => Math.floor(chance() * limit);
const pick = (items) => items[below(items.length)];

/** Change one place of a JSON value. */
function changed(value) {
  const copy = structuredClone(value);
  let holder = { root: copy };
  let key = "root";
  while (holder[key] !== null && typeof holder[key] === "object" && chance() < 0.85) {
    const names = Object.keys(holder[key]);
    if (!names.length) break;
    [holder, key] = [holder[key], pick(names)];
  }
  if (holder.root === copy && key === "root") return pick(NASTY);
  const way = below(4);
  if (way === 0) delete holder[key];
  else if (way === 1) holder[key] = structuredClone(pick(NASTY));
  else if (way === 2) holder[key] = typeof holder[key] === "string" ? changedText(holder[key]) : [holder[key]];
  else Object.defineProperty(holder, pick(Array.isArray(holder) ? ["0", "__proto__"] : ["__proto__", "length", "id", "kind"]), { value: holder[key], enumerable: true, configurable: true, writable: true });
  return copy;
}

function changedText(text) {
  const at = below(text.length + 1);
  const way = below(4);
  if (way === 0) return text.slice(0, at) + text.slice(at + 1 + below(8));
  if (way === 1) return text.slice(0, at) + String.fromCharCode(below(128)) + text.slice(at + 1);
  if (way === 2) return text.slice(0, at) + pick([".", "=", "..", "eyJ", "_", "é", " "]) + text.slice(at);
  return text.slice(0, at) + text.slice(below(text.length + 1));
}

/** An input is read, or refused by the one error that the extension shows. */
async function refusable(read) {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof UnusableBundle)) throw error;
    return undefined;
  }
}

const CHECKS = {
  bundle: {
    seeds: [bundle],
    change: changed,
    async check(value) {
      await refusable(() => readBundle(JSON.parse(JSON.stringify(value))));
      if ({}.polluted !== undefined || [].polluted !== undefined) throw new Error("a prototype was changed");
    },
  },
  "bundle-token": {
    seeds: tokens,
    change: changedText,
    async check(text) {
      const opened = await refusable(() => openBundle(text, keys));
      if (opened === undefined) return;
      if (JSON.stringify(opened) !== JSON.stringify(bundle)) throw new Error("a forged bundle was opened");
    },
  },
};

const session = new Session();
session.connect();
await session.post("Profiler.enable");
await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
const reached = new Set();

/** How many ranges of the core ran for the first time. */
async function news() {
  const { result } = await session.post("Profiler.takePreciseCoverage");
  const before = reached.size;
  for (const script of result.filter(({ url }) => url.includes(CORE))) {
    for (const { ranges } of script.functions) {
      for (const { startOffset, endOffset, count } of ranges) {
        if (count) reached.add(`${script.url}:${startOffset}-${endOffset}`);
      }
    }
  }
  return reached.size - before;
}

const { seeds, change, check } = CHECKS[name];
const corpus = [...seeds];

async function run(input, number) {
  try {
    await check(input);
  } catch (error) {
    writeFileSync(`${found}/${name}-${number}`, typeof input === "string" ? input : JSON.stringify(input));
    console.error(`input ${number}: ${error.stack}`);
    process.exit(1);
  }
}

for (const one of seeds) await run(one, "seed");
await news();
let ran = seeds.length;
const say = (event) => console.error(`#${ran}\t${event} cov: ${reached.size} ft: ${corpus.length}`);
say("INITED");
while (ran < Number(inputs)) {
  const batch = [];
  for (let index = 0; index < BATCH; index += 1) {
    let input = change(pick(corpus));
    while (chance() < 0.5) input = change(input);
    batch.push(input);
  }
  for (const input of batch) await run(input, (ran += 1));
  if (await news()) {
    corpus.push(...batch);
    corpus.splice(seeds.length, Math.max(0, corpus.length - KEPT)); // the oldest go, the seeds stay
    say("NEW");
  }
}
say("DONE");
console.log(`Done ${ran} runs`);
process.exit(0);
