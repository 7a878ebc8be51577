// Right-click on a link: whose is it? The answer is a page of ours, decided here.

import * as browser from "./browser.js";
import { languageNamed, readersCode } from "./texts.js";

const WHOSE = "whose";
const PAGE = "pages/whose.html";

/** Put the entry into the menu of links. @param {import("./keeper.js").Keeper} keeper */
export async function placeMenu(keeper) {
  const decider = await keeper.decider();
  const language = await languageNamed(readersCode(decider?.knowledge.policy.language ?? "en"));
  await browser.replaceLinkMenu(WHOSE, language.say("Whose is it?"));
}

/** Answer it. */
export function answerMenu() {
  browser.onLinkMenu((entry, url) => {
    if (entry === WHOSE) browser.openTab(`${browser.pageAddress(PAGE)}#${url}`);
  });
}
