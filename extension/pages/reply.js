// The ready reply: how to come by a link, and one text per language with a button that copies it.

import { useOf } from "../core/reply.js";
import { make } from "./dom.js";
import { stepsToLink } from "./room.js";

/**
 * @param {import("./prompt.js").Shown} shown
 * @param {[import("../core/language.js").Language, {text: string, placeholder: string}][]} replies
 * first the page's own language
 */
export function replyOf(shown, replies) {
  const { verdict, language } = shown;
  const meeting = useOf(verdict) === "meeting";
  const status = make("p.status", { role: "status" });
  const choices = replies.map(([each, reply], index) => choice(each, reply, index === 0, language, status));
  const fill = (link) => choices.forEach((one) => one.fill(link));
  const copying = make(
    "div",
    {},
    language.say("Copy the reply and send it."),
    make("fieldset.choices", {}, make("legend.aside", {}, language.say("Language of the reply")), ...choices.flatMap(({ parts }) => parts)),
    status,
  );
  return make(
    "section.card",
    { id: "reply", "aria-labelledby": "reply-title" },
    make("h2", { id: "reply-title" }, language.say(meeting ? "Tell the organiser" : "Tell the other person")),
    make("ol.steps", {}, ...stepsToLink(shown, fill), make("li", {}, copying)),
  );
}

/** One language: its elements, and what puts a link in the place of the one before. */
function choice(each, reply, first, language, status) {
  const id = `reply-${each.code}`;
  const label = language.say("Reply (%(language)s)", { language: each.name });
  const area = make("textarea", { id: `reply-text-${each.code}`, rows: 9, lang: each.code, "aria-label": label });
  area.value = reply.text;
  let standing = reply.placeholder; // only this part is replaced: what the person wrote around it stays
  const fill = (link) => {
    const next = link || reply.placeholder;
    area.value = area.value.replace(standing, () => next);
    standing = next;
  };
  const copy = async () => {
    await navigator.clipboard.writeText(area.value);
    status.textContent = language.say("Copied. Paste it into your message.");
  };
  const parts = [
    make("input", { type: "radio", name: "reply-language", id, checked: first }),
    make("label", { for: id, lang: each.code }, each.name),
    make("div.text", {}, area, make("button.button.button-second", { type: "button", onclick: copy }, language.say("Copy the reply"))),
  ];
  return { parts, fill };
}
