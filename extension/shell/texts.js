// The reader's language: the policy's when the reader accepts it, else the first of theirs we have.

import { Language } from "../core/language.js";
import { ownJson, readerLanguages } from "./browser.js";

export const CODES = ["en", "da", "de", "fr"];

/** @param {string} code @returns {Promise<Language>} */
export async function languageNamed(code) {
  return new Language(await ownJson(`texts/${code}.json`));
}

/** As the proxy chooses: the policy's language wins whenever the reader accepts it. */
export function readersCode(policyLanguage) {
  const wanted = readerLanguages().map((tag) => tag.split("-")[0].toLowerCase());
  if (wanted.includes(policyLanguage)) return policyLanguage;
  return wanted.find((code) => CODES.includes(code)) ?? (CODES.includes(policyLanguage) ? policyLanguage : "en");
}
