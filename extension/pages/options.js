// The options: where the API is, where links are marked, and whether the policy in force is fresh.

import { oddHosts } from "../core/noticing.js";
import { ask, managedSettings, store, stored } from "../shell/browser.js";
import { Keeper } from "../shell/keeper.js";
import { scriptSettings } from "../shell/scripts.js";
import { languageNamed, readersCode } from "../shell/texts.js";
import { dress, make } from "./dom.js";

async function show() {
  const keeper = new Keeper();
  const decider = await keeper.decider();
  const language = await languageNamed(readersCode(decider?.knowledge.policy.language ?? "en"));
  dress(language, decider?.knowledge.policy);
  document.title = language.say("Options of sovproxy");
  document.getElementById("content").replaceChildren(
    make("h1", {}, document.title),
    await apiForm(keeper, language),
    await state(decider, language),
    await marksForm(language),
    sends(language),
  );
}

/** A form with one field, which nobody can change when the administration has filled it. */
function formOf(field, { label, hint, status, managed, onsubmit }, language) {
  const hints = { id: `${field.id}-hint` };
  return make(
    "form.card.options",
    { onsubmit },
    make("label", { for: field.id }, label),
    field,
    make("p.hint", hints, managed ? language.say("Your administration has set it.") : hint),
    status,
    managed ? null : make("button.button", { type: "submit" }, language.say("Save")),
  );
}

async function apiForm(keeper, language) {
  const managed = Boolean((await managedSettings()).api);
  const field = make("input", { id: "api", type: "url", required: true, readonly: managed, "aria-describedby": "api-hint" });
  field.value = await keeper.api();
  const onsubmit = async (event) => {
    event.preventDefault();
    await store({ api: field.value });
    await ask({ kind: "refresh" });
    await show();
  };
  const words = { label: language.say("Address of sovproxy"), hint: language.say("Your administration tells you the address.") };
  return formOf(field, { ...words, managed, onsubmit }, language);
}

async function marksForm(language) {
  const managed = "mark_links_on" in (await managedSettings());
  const field = make("textarea", { id: "marks", rows: 6, readonly: managed, spellcheck: "false", "aria-describedby": "marks-hint" });
  field.value = (await scriptSettings()).markOn.join("\n");
  const onsubmit = async (event) => {
    event.preventDefault();
    const hosts = field.value.split(/\s+/).filter(Boolean);
    const [odd] = oddHosts(hosts);
    field.setAttribute("aria-invalid", String(Boolean(odd)));
    if (odd) {
      status.textContent = language.say("“%(line)s” is no site. Write mail.example.org, *.example.org or *.", { line: odd });
      return field.focus();
    }
    await store({ mark_links_on: hosts });
    await show();
  };
  const status = make("p.doubt", { role: "status" });
  const label = language.say("Mark links to stopped services on these sites");
  const hint = language.say("One site a line: *.example.org stands for all below it, * for every page.");
  return formOf(field, { label, hint, status, managed, onsubmit }, language);
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
    problem ? trouble(problem, policy, language) : null,
    make("button.button.button-second", { type: "button", onclick: () => ask({ kind: "refresh" }).then(show) }, language.say("Look for a newer one")),
  );
}

/** Why there is nothing newer, and that what was good before still holds. */
function trouble(problem, policy, language) {
  const said = policy ? "The newest policy could not be taken over; the one above holds." : "No policy could be taken over yet.";
  return make("p.doubt", { role: "status" }, language.say(said), " ", make("span.small", { lang: "en" }, problem));
}

/** What Mozilla wants told where a policy installs the extension, and nobody sees its dialogue. */
function sends(language) {
  return make(
    "section",
    { "aria-labelledby": "sends" },
    make("h2", { id: "sends" }, language.say("What it sends")),
    make("p", {}, language.say("By itself it only asks your organisation’s sovproxy for the newest policy and for what you may pass, and the proxy for who you are to it. What you open is judged in this browser and told to nobody.")),
    make("p", {}, language.say("When you click to go on, to ask for an exception or to ask for more, it tells your organisation’s sovproxy which service that is for.")),
    make("p", {}, make("a", { href: "mydata.html" }, language.say("My data"))),
  );
}

show();
