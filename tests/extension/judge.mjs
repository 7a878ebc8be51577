// Judges a list of questions with the extension's core: JSON in on stdin, JSON out on stdout.

import { readFileSync } from "node:fs";
import { readBundle } from "../../extension/core/bundle.js";
import { Decider, NOWHERE } from "../../extension/core/decider.js";
import { readDestination } from "../../extension/core/normalise.js";

const { bundle, questions } = JSON.parse(readFileSync(0, "utf8"));
const knowledge = readBundle(bundle);
const decider = new Decider(knowledge);

function placed(place) {
  return place ? { ...place, operator: knowledge.operators.get(place.operator) ?? null } : NOWHERE;
}

function answer({ query, at, place, now, group }) {
  const read = readDestination(query);
  const destination = at && !read.problem ? { ...read, address: at.address, chosenBy: at.chosenBy } : read;
  const verdict = decider.decide(destination, placed(place), now, group);
  return {
    host: destination.problem ? "" : destination.host,
    address: destination.address,
    port: destination.port,
    action: verdict.action,
    rule: verdict.rule,
    service: verdict.service?.id ?? null,
    alternative: verdict.alternative?.id ?? null,
    standing: verdict.jurisdiction.standing,
    control: verdict.jurisdiction.control,
    powers: verdict.jurisdiction.powers.map((power) => power.id),
    softened: verdict.softened,
    trace: destination.problem ? [] : verdict.steps,
  };
}

console.log(JSON.stringify(questions.map(answer)));
