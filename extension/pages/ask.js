// The form for asking for an exception, as the proxy's prompt has it, and what it leads to.

import { canBeExcepted } from "../core/lifting.js";
import { spansFrom } from "../core/spans.js";
import { ask } from "../shell/browser.js";
import { Keeper } from "../shell/keeper.js";
import { untilHeard } from "../shell/settling.js";
import { call, newId, Refused } from "../shell/sharing.js";
import { localeOf, make } from "./dom.js";

const [MIN_WHY, MAX_WHY] = [3, 500];
const LOOK_AGAIN = 5_000;
const PARTS = {
  guest: "I am a guest of a meeting that others organise",
  host: "I organise the meeting",
  none: "It is not for a meeting",
};

/** The form, folded; nothing where no exception could help. @param {import("./prompt.js").Shown} shown */
export function askForm(shown) {
  const { verdict, host, policy, language } = shown;
  const spans = spansFrom(new Date(), policy.exception_days ?? 0);
  if (!canBeExcepted(verdict) || !spans.length) return null;
  const why = make("textarea", { id: "why", rows: 3, required: true, minlength: MIN_WHY, maxlength: MAX_WHY, "aria-describedby": "why-hint" });
  const part = choice("part", Object.entries(PARTS).map(([value, text]) => [value, language.say(text)]));
  const until = choice("until", spans.map(({ span, end }) => [end.toISOString(), sayUntil(span, end, language)]));
  const status = make("p.doubt", { role: "status" });
  const id = newId(); // sent twice by a nervous hand, it asks once
  const onsubmit = (event) => {
    event.preventDefault();
    return send(shown, { id, reason: why.value, role: part.value, until: until.value }, event.target, status);
  };
  return make(
    "details.ask",
    {},
    make("summary", {}, make("h3", {}, language.say("Ask for an exception"))),
    make("p.small", {}, language.say("A person decides. An exception is for you, for %(host)s and for a limited time.", { host: verdict.service?.name ?? host })),
    make(
      "form",
      { onsubmit, autocomplete: "off" },
      field("why", language.say("Why do you need it?"), why, make("p.hint", { id: "why-hint" }, language.say("Please name no person."))),
      field("part", language.say("Is it for a meeting?"), part),
      field("until", language.say("Until when?"), until),
      make("div", {}, make("button.button.button-second", { type: "submit" }, language.say("Send the request")), status),
    ),
  );
}

const field = (id, label, ...parts) => make("div", {}, make("label", { for: id }, label), ...parts);

function choice(id, options) {
  return make("select", { id }, ...options.map(([value, text]) => make("option", { value }, text)));
}

function sayUntil(span, end, language) {
  const day = end.toLocaleDateString(localeOf(language), { dateStyle: "long" });
  if (span === "today") return language.say("until this evening");
  if (span === "week") return language.say("until the end of the week, %(day)s", { day });
  return language.say("as long as possible, until %(day)s", { day });
}

async function send(shown, said, form, status) {
  const { verdict, host, language } = shown;
  const wanted = verdict.service ? { service: verdict.service.id } : { host };
  const about = { rule: verdict.rule, action: verdict.action, language: language.code };
  try {
    const api = await new Keeper().api();
    const found = await call(api, "/exceptions", { method: "POST", body: { ...said, ...wanted, ...about } });
    form.closest("section").replaceWith(asked(shown, found));
    document.getElementById("asked-title").focus();
    waitForAnswer(shown);
  } catch (error) {
    status.textContent = error instanceof Refused ? error.message : sayUnreachable(language);
  }
}

/** What to say when nobody vouches for the person, or nobody answers. */
export const sayUnreachable = (language) =>
  language.say("Your organisation’s proxy or sovproxy cannot be reached from here, so nobody can tell who asks. Please try again later.");

function asked({ url, language }, { number, service, host, wanted }) {
  const until = new Date(wanted).toLocaleString(localeOf(language), { dateStyle: "long", timeStyle: "short" });
  return make(
    "section.card",
    { "aria-labelledby": "asked-title" },
    make("h2", { id: "asked-title", tabindex: -1 }, language.say("Your request is on its way")),
    make("p.lead", {}, language.say("Number %(number)s", { number })),
    make("dl.asked", {}, make("dt", {}, language.say("You asked for")), make("dd", {}, service || host), make("dt", {}, language.say("Until")), make("dd", {}, until)),
    make("p.sentence", {}, language.say("A person reads it and decides. Once it is granted, open the page again: it opens within seconds, and there is nothing else to do.")),
    make("p.way", {}, make("a.button", { href: url }, language.say("Open the page again"))),
  );
}

/** While the page is looked at, see now and then whether the exception is granted; then go there. */
function waitForAnswer({ url, host }) {
  const look = async () => {
    if (document.hidden) return;
    await ask({ kind: "share" });
    if (!(await new Keeper().judge(url)).lifted) return;
    clearInterval(looking);
    await untilHeard(host);
    location.replace(url);
  };
  const looking = setInterval(look, LOOK_AGAIN);
}
