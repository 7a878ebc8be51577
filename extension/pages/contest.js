// A word against a decision: it goes to the analysts, and says nothing else of the person.

import { Keeper } from "../shell/keeper.js";
import { call, Refused } from "../shell/sharing.js";
import { sayUnreachable } from "./ask.js";
import { make } from "./dom.js";

const [MIN_WORDS, MAX_WORDS] = [3, 1000];

/**
 * The form, folded. `of` says what is contested: an event, or a host that no event is known of.
 * @param {{of: {event: string} | {host: string}, host: string, language: any}} shown
 */
export function contestForm({ of, host, language }) {
  const id = `contest-${of.event ?? "host"}`;
  const words = make("textarea", { id, rows: 3, required: true, minlength: MIN_WORDS, maxlength: MAX_WORDS });
  const status = make("p.status", { role: "status" });
  const onsubmit = async (submitted) => {
    submitted.preventDefault();
    try {
      const api = await new Keeper().api();
      const found = await call(api, "/my/contests", { method: "POST", body: { ...of, text: words.value } });
      words.value = "";
      status.textContent = language.say("Thank you. The analysts read it under number %(number)s.", { number: found.number });
    } catch (error) {
      status.textContent = error instanceof Refused ? error.message : sayUnreachable(language);
    }
  };
  const title = language.say("Contest this decision");
  return make(
    "details.contest",
    {},
    make("summary", { "aria-label": `${title}: ${host}` }, title),
    make(
      "form",
      { onsubmit, autocomplete: "off" },
      make("div", {}, make("label", { for: id }, language.say("What is wrong about it?")), words),
      make("div", {}, make("button.button.button-second", { type: "submit" }, language.say("Send"))),
    ),
    status,
  );
}
