// The options: where the API is, and whether the policy in force is fresh.

import { ask, managedSettings, store, stored } from "../shell/browser.js";
import { Keeper } from "../shell/keeper.js";
import { dress, make } from "./dom.js";
import { languageNamed, readersCode } from "../shell/texts.js";

async function show() {
  const keeper = new Keeper();
  const decider = await keeper.decider();
  const language = await languageNamed(readersCode(decider?.knowledge.policy.language ?? "en"));
  dress(language, decider?.knowledge.policy);
  document.title = language.say("Options of sovproxy");
  const parts = [make("h1", {}, document.title), await apiForm(keeper, language), await state(decider, language)];
  document.getElementById("content").replaceChildren(...parts);
}

async function apiForm(keeper, language) {
  const managed = Boolean((await managedSettings()).api);
  const field = make("input", { id: "api", type: "url", required: true, readonly: managed, "aria-describedby": "api-hint" });
  field.value = await keeper.api();
  const save = async (event) => {
    event.preventDefault();
    await store({ api: field.value });
    await ask({ kind: "refresh" });
    await show();
  };
  const hint = managed ? "Your administration has set it." : "Your administration tells you the address.";
  return make(
    "form.card.options",
    { onsubmit: save },
    make("label", { for: "api" }, language.say("Address of sovproxy")),
    field,
    make("p.hint", { id: "api-hint" }, language.say(hint)),
    managed ? null : make("button.button", { type: "submit" }, language.say("Save")),
  );
}

async function state(decider, language) {
  const [kept, problem] = [await stored("kept"), await stored("problem")];
  const policy = decider?.knowledge.policy;
  const fetched = kept ? new Date(kept.fetched * 1000).toLocaleString(language.code === "en" ? "en-GB" : language.code) : "";
  return make(
    "section",
    { "aria-labelledby": "state" },
    make("h2", { id: "state" }, language.say("Policy in force")),
    make("p", {}, policy ? `${policy.id}, ${policy.version} (${fetched})` : language.say("There is no policy yet.")),
    problem ? make("p.doubt", { role: "status" }, problem) : null,
    make("button.button.button-second", { type: "button", onclick: () => ask({ kind: "refresh" }).then(show) }, language.say("Look for a newer one")),
  );
}

show();
