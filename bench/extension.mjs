// What the extension's core needs for a bundle: heap in the worker, and time to compile its rules.
// The bundle on stdin, the figures on stdout, as JSON. Run with `node --expose-gc`.

import { readFileSync } from "node:fs";
import { readBundle } from "../extension/core/bundle.js";
import { Decider, NOWHERE } from "../extension/core/decider.js";
import { compileRules } from "../extension/core/rules.js";

const ROUNDS = 30;
const text = readFileSync(0, "utf8");
const situation = { now: Date.now() / 1000, group: "", lifted: () => false, prompt: "chrome-extension://x/prompt.html" };

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** Median processor time in milliseconds: what others do on the machine does not count. */
function timed(work) {
  const times = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(start);
    times.push((user + system) / 1000);
  }
  return median(times);
}

function thousandTimes(work) {
  for (let round = 0; round < 1000; round += 1) work();
}

/** What stays in use when the bundle's JSON is gone, as in the worker. */
function heapOf(make) {
  globalThis.gc();
  const before = process.memoryUsage().heapUsed;
  const kept = make();
  globalThis.gc();
  return [process.memoryUsage().heapUsed - before, kept];
}

timed(() => new Decider(readBundle(JSON.parse(text)))); // warm: code is not the bundle's memory
const [heap, decider] = heapOf(() => new Decider(readBundle(JSON.parse(text))));
const { knowledge } = decider;
const zoom = { host: "us02web.zoom.us", address: "", port: 443, chosenBy: "" };
console.log(
  JSON.stringify({
    services: knowledge.services.size,
    patterns: knowledge.hosts.size,
    rules: compileRules(decider, situation).length,
    heap,
    read: timed(() => new Decider(readBundle(JSON.parse(text)))),
    compile: timed(() => compileRules(decider, situation)),
    decide: timed(() => thousandTimes(() => decider.decide(zoom, NOWHERE, situation.now))) / 1000,
  }),
);
