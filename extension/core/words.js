// The closed vocabularies of DESIGN.md §2, as `sovproxy/decide/words.py` has them.

/** From mild to strict. */
export const ACTIONS = ["allow", "observe", "warn", "block"];

/** @param {string} action */
export const strictness = (action) => ACTIONS.indexOf(action);

/** Whether a prompt is shown instead of the destination. @param {string} action */
export const stops = (action) => action === "warn" || action === "block";

/** Who chose the address that is judged: it decides what a shared prefix is worth. */
export const ChosenBy = Object.freeze({ NOBODY: "", CLIENT: "client", NODE: "node" });
