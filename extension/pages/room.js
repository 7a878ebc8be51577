// From the invitation to a room: made by the administration's API where that is set up, else by
// Visio's own button in a frame (its SDK), else by hand; its link goes into the reply.

import { roomIn, SDK_BUTTON, sdkOrigin, typedRoom } from "../core/rooms.js";
import { useOf } from "../core/reply.js";
import { Keeper } from "../shell/keeper.js";
import { makeRoom } from "../shell/rooms.js";
import { Refused, Unreachable } from "../shell/sharing.js";
import { make, safeLink } from "./dom.js";

const FIELDS = { meeting: "Paste its link", other: "Paste the link or address", none: "Say how you can be reached" };

/**
 * The steps before the reply is copied. @param {import("./prompt.js").Shown} shown
 * @param {(link: string) => void} fill what puts a link into the reply
 * @returns {HTMLElement[]}
 */
export function stepsToLink(shown, fill) {
  const { alternative } = shown.verdict;
  const typed = linkField(shown, fill);
  const link = make("li", {}, make("div", {}, ...typed.parts));
  if (!alternative) return [link];
  const isVisio = useOf(shown.verdict) === "meeting" && sdkOrigin(alternative);
  const making = isVisio ? roomMaker(shown, typed.take) : [byHand(shown)];
  return [make("li", {}, make("div", {}, ...making)), link];
}

function byHand({ verdict, language }) {
  const use = useOf(verdict);
  const name = { alternative: verdict.alternative.name };
  if (use === "meeting") return make("p", {}, language.say("Open %(alternative)s and create a meeting.", name));
  if (use === "conversation") return make("p", {}, language.say("Open %(alternative)s and copy your invitation link or address.", name));
  return make("p", {}, language.say("Open %(alternative)s and copy the link to share.", name));
}

/** The field for the link, and what a room that was made calls to fill it. */
function linkField({ verdict, language }, fill) {
  const { alternative } = verdict;
  const origin = sdkOrigin(alternative);
  const status = make("p.doubt", { role: "status" });
  const field = make("input", { type: "text", id: "room", inputmode: "url", autocomplete: "off", spellcheck: "false", maxlength: 300, "aria-describedby": origin && "room-hint" });
  const read = () => {
    const { link, odd } = typedRoom(field.value, alternative);
    fill(link);
    status.textContent = odd ? language.say("This is not a link of %(alternative)s.", { alternative: alternative.name }) : "";
  };
  field.addEventListener("input", read);
  const take = (link) => {
    field.value = link;
    status.textContent = "";
    fill(link);
  };
  const use = alternative ? useOf(verdict) : "none";
  const label = make("label", { for: "room" }, language.say(FIELDS[use] ?? FIELDS.other));
  const hint = origin && make("p.hint", { id: "room-hint" }, `${language.say("For example")} `, make("span.id", {}, `${new URL(origin).hostname}/abc-defg-hij`));
  return { parts: [label, field, hint, status].filter(Boolean), take };
}

/** The button that makes a room, and what it leads to. */
function roomMaker(shown, take) {
  const { language, verdict } = shown;
  const name = { alternative: verdict.alternative.name };
  const status = make("p.status", { role: "status" });
  const place = make("div", { id: "room-place" });
  const done = (url) => {
    take(url);
    status.textContent = language.say("The room is ready. Its link stands in the reply.");
    const link = make("a.button", { href: url, target: "_blank", rel: "noopener noreferrer" }, language.say("Open the room"));
    place.replaceChildren(make("p.way", {}, link));
  };
  const begin = async () => {
    button.disabled = true;
    status.textContent = language.say("The room is being made…");
    try {
      done(await makeRoom(await new Keeper().api()));
    } catch (error) {
      status.textContent = "";
      place.replaceChildren(...withVisiosButton(shown, error, done));
    }
    button.disabled = false;
  };
  const button = make("button.button.button-second", { type: "button", onclick: begin }, language.say("Make a room on %(alternative)s", name));
  return [button, status, place];
}

/** Visio's own button, in a frame that may not leave it; and what to do if it does not help. */
function withVisiosButton({ verdict, language }, error, done) {
  if (!(error instanceof Refused || error instanceof Unreachable)) throw error;
  const { alternative } = verdict;
  const name = { alternative: alternative.name };
  const origin = sdkOrigin(alternative);
  const frame = make("iframe.visio", {
    src: origin + SDK_BUTTON,
    title: language.say("The button of %(alternative)s that makes a room", name),
    sandbox: "allow-scripts allow-same-origin allow-popups allow-popups-to-escape-sandbox",
    referrerpolicy: "no-referrer",
  });
  const hear = (message) => {
    const url = message.source === frame.contentWindow ? roomIn(message, origin) : "";
    if (!url) return;
    removeEventListener("message", hear);
    done(url);
  };
  addEventListener("message", hear);
  const open = make("a", { href: safeLink(alternative.url), target: "_blank", rel: "noopener noreferrer" }, language.say("Open %(alternative)s", name));
  const said = error.reason === "unknown-to-visio" ? make("p", {}, language.say("%(alternative)s does not know you yet: sign in there once.", name)) : null;
  return [
    said,
    make("p", {}, language.say("Press the button of %(alternative)s below and sign in; the link comes here by itself.", name)),
    frame,
    make("p.small", {}, language.say("Does nothing appear? Open %(alternative)s, make a room there and paste its link below.", name), " ", open),
  ].filter(Boolean);
}
