// What was entered outlives its session: a form is sent while the session lasts, else the page stays
// as it is and says so. After a sign-in in another tab the same button sends it.

const ENTRIES = "textarea, input:not([type=hidden])";
const notes = { ended: document.getElementById("session-ended"), away: document.getElementById("session-away") };
const asked = new WeakSet();
const known = new WeakSet();

// "here", and forms belong to the session that lasts now; "ended"; or "away" when nobody answers.
async function session() {
  try {
    const answer = await fetch("/api/v1/session");
    if (!answer.ok) return answer.status === 401 ? "ended" : "away";
    const { csrf } = await answer.json();
    for (const field of document.querySelectorAll("input[name=csrf]")) field.value = csrf;
    return "here";
  } catch {
    return "away";
  }
}

function tell(state, place) {
  for (const [name, note] of Object.entries(notes)) note.hidden = name !== state;
  if (place && notes[state]) place.after(notes[state]);
}

async function send(form, submitter) {
  asked.add(form);
  const state = await session();
  asked.delete(form);
  tell(state, submitter?.closest(".actions") ?? submitter ?? form.lastElementChild);
  if (state !== "here") return;
  known.add(form);
  form.requestSubmit(submitter);
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("main form[method=post]") || !form.querySelector(ENTRIES) || known.delete(form)) return;
  event.preventDefault();
  if (!asked.has(form)) send(form, event.submitter);
});

// Scripts of a page that were refused ask here, and hear when it is worth trying again.
async function doubt({ target }) {
  const state = await session();
  tell(state, state === "ended" ? target : null);
  if (state === "here") document.dispatchEvent(new CustomEvent("session-here"));
}

document.addEventListener("session-doubted", doubt);
window.addEventListener("focus", () => {
  if (!notes.ended.hidden) doubt({ target: null });
});
