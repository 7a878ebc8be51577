// What the server knows beside the bundle. It is asked only by a click that says so.

import { call } from "../shell/sharing.js";
import { make } from "./dom.js";

/**
 * A button, and where the answer goes.
 * @param {string} host what is asked about @param {string} api where
 */
export function askForMore(host, api, language) {
  const answer = make("div", { role: "status" });
  const ask = async () => {
    button.disabled = true;
    answer.replaceChildren(...(await found(host, api, language)));
    button.disabled = false;
  };
  const button = make("button.button.button-second", { type: "button", onclick: ask }, language.say("Ask the server for more"));
  return make("div.actions", {}, button, answer);
}

async function found(host, api, language) {
  try {
    const { evidence, verdict } = await call(api, `/check?q=${encodeURIComponent(host)}`);
    const items = evidence.map((item) => evidenceItem(item, language));
    return [make("p", { lang: "en" }, String(verdict.reason)), make("ul", { lang: "en" }, ...items)];
  } catch {
    return [make("p.doubt", {}, language.say("The server cannot be asked now."))];
  }
}

function evidenceItem({ value, source, as_of: day }, language) {
  return make("li", {}, String(value), make("span.small", {}, ` ${source}, ${language.day(String(day))}`));
}
