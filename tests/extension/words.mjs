// Says what the extension's prompt says of some hosts, in some languages: JSON in, JSON out.

import { readFileSync } from "node:fs";
import { readBundle } from "../../extension/core/bundle.js";
import { Decider } from "../../extension/core/decider.js";
import { Language } from "../../extension/core/language.js";
import { readDestination } from "../../extension/core/normalise.js";
import { makeReply, useOf } from "../../extension/core/reply.js";
import { headline, inWhoseHands } from "../../extension/core/sentences.js";

const { bundle, languages, hosts, now } = JSON.parse(readFileSync(0, "utf8"));
const decider = new Decider(readBundle(bundle));
const { policy } = decider.knowledge;

function said(host, texts) {
  const language = new Language(texts);
  const verdict = decider.decide(readDestination(host), undefined, now);
  return [
    language.name,
    headline(verdict, language),
    inWhoseHands(verdict, policy.trustZone, language),
    useOf(verdict),
    useOf(verdict) === "alone" ? "" : makeReply(verdict, policy, language, host).text,
  ];
}

console.log(JSON.stringify(hosts.map((host) => languages.map((texts) => said(host, texts)))));
