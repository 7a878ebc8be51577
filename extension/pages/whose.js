// "Whose is it?" of a link: answered from the bundle, without asking anybody.

import { Keeper } from "../shell/keeper.js";
import { languageNamed, readersCode } from "../shell/texts.js";
import { answerOf, evidenceFor } from "./answer.js";
import { dress, make } from "./dom.js";

async function show() {
  const keeper = new Keeper();
  const decider = await keeper.decider();
  const policy = decider?.knowledge.policy;
  const language = await languageNamed(readersCode(policy?.language ?? "en"));
  dress(language, policy);
  document.title = language.say("Whose is it?");
  const parts = decider ? await body(keeper, policy, language) : [make("h1", {}, document.title), make("p", {}, language.say("There is no policy yet."))];
  document.getElementById("content").replaceChildren(...parts);
}

async function body(keeper, policy, language) {
  const judged = await keeper.judge(location.hash.slice(1));
  return [...answerOf(judged, policy.trustZone, language), ...evidenceFor(judged.verdict, language)];
}

show();
