// The ready reply: one text per language, with a button that copies it.

import { useOf } from "../core/reply.js";
import { make } from "./dom.js";

/**
 * @param {[import("../core/language.js").Language, {text: string, placeholder: string}][]} replies
 * first the page's own language
 */
export function replyOf(verdict, replies, language) {
  const meeting = useOf(verdict) === "meeting";
  const status = make("p.status", { role: "status" });
  const choices = replies.flatMap(([each, reply], index) => choice(each, reply, index === 0, language, status));
  return make(
    "section.card",
    { id: "reply", "aria-labelledby": "reply-title" },
    make("h2", { id: "reply-title" }, language.say(meeting ? "Tell the organiser" : "Tell the other person")),
    make("p", {}, language.say(verdict.alternative ? "In the reply, put your link in place of the square brackets." : "In the reply, say how you can be reached in place of the square brackets.")),
    make("fieldset.choices", {}, make("legend.aside", {}, language.say("Language of the reply")), ...choices),
    status,
  );
}

function choice(each, reply, first, language, status) {
  const id = `reply-${each.code}`;
  const label = language.say("Reply (%(language)s)", { language: each.name });
  const area = make("textarea", { id: `reply-text-${each.code}`, rows: 9, lang: each.code, "aria-label": label });
  area.value = reply.text;
  const copy = async () => {
    await navigator.clipboard.writeText(area.value);
    status.textContent = language.say("Copied. Paste it into your message.");
  };
  return [
    make("input", { type: "radio", name: "reply-language", id, checked: first }),
    make("label", { for: id, lang: each.code }, each.name),
    make("div.text", {}, area, make("button.button.button-second", { type: "button", onclick: copy }, language.say("Copy the reply"))),
  ];
}
