// The policy editor: line numbers, and every problem while one types. The page works without.

const PAUSE = 400;

const [editor, gutter, text, verdict, findings] = ["editor", "gutter", "text", "verdict", "findings"].map((id) =>
  document.getElementById(id),
);

let numbered = 0;

function numberLines() {
  const count = text.value.split("\n").length;
  if (count === numbered) return;
  numbered = count;
  gutter.textContent = Array.from({ length: count }, (_, index) => index + 1).join("\n");
}

function follow() {
  gutter.scrollTop = text.scrollTop;
}

// Lines are counted by line feeds, columns by code points, as the parser does.
function goTo(place) {
  const [line, column] = place.split(":").map(Number);
  const lines = text.value.split("\n");
  const before = lines.slice(0, Math.max(line - 1, 0)).join("\n").length + (line > 1 ? 1 : 0);
  const found = lines[line - 1] ?? "";
  const start = before + [...found].slice(0, Math.max(column - 1, 0)).join("").length;
  text.focus();
  text.setSelectionRange(start, before + found.length);
  const height = text.scrollHeight / lines.length;
  text.scrollTop = Math.max(0, (line - 6) * height);
  text.scrollLeft = 0;
}

function finding(item) {
  const entry = document.createElement("li");
  entry.className = item.severity;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "link-button";
  button.dataset.go = `${item.line}:${item.column}`;
  const language = document.documentElement.lang;
  const word = document.createElement("span");
  word.lang = language;
  word.textContent = editor.dataset.line;
  button.append(word, ` ${item.line}:${item.column}`);
  const kind = document.createElement("span");
  kind.className = "small";
  kind.lang = language;
  kind.textContent = item.severity === "error" ? editor.dataset.error : editor.dataset.warning;
  const said = document.createElement("bdi");
  if (item.where) {
    const where = document.createElement("code");
    where.textContent = item.where;
    said.append(where, ": ");
  }
  said.append(item.message);
  entry.append(button, " ", kind, document.createElement("br"), said);
  return entry;
}

function show(check) {
  const number = check.errors.length;
  const words = editor.dataset;
  const sentence = number > 1 ? words.many.replace("{n}", number) : number ? words.one : words.valid;
  if (verdict.textContent !== sentence) verdict.textContent = sentence;
  text.setAttribute("aria-invalid", String(number > 0));
  findings.replaceChildren(...[...check.errors, ...check.warnings].map(finding));
}

let timer = 0;
let asking = null;

// The session that the last check was sent with: one that was refused is not asked again.
let tried = "";

async function validate() {
  tried = text.form.elements.csrf.value;
  asking?.abort();
  asking = new AbortController();
  const headers = { "content-type": "application/json", [editor.dataset.header]: text.form.elements.csrf.value };
  const body = JSON.stringify({ text: text.value });
  try {
    const answer = await fetch(editor.dataset.validate, { method: "POST", headers, body, signal: asking.signal });
    if (answer.status === 401 || answer.status === 403) {
      verdict.textContent = editor.dataset.unchecked;
      editor.dispatchEvent(new CustomEvent("session-doubted", { bubbles: true }));
      return;
    }
    if (!answer.ok) throw new Error(answer.statusText);
    show(await answer.json());
  } catch (error) {
    if (error.name !== "AbortError") verdict.textContent = editor.dataset.broken;
  }
}

if (editor) {
  gutter.hidden = false;
  numberLines();
  text.addEventListener("scroll", follow, { passive: true });
  text.addEventListener("input", () => {
    numberLines();
    follow();
    clearTimeout(timer);
    timer = setTimeout(validate, PAUSE);
  });
  document.addEventListener("session-here", () => {
    if (tried !== text.form.elements.csrf.value) validate();
  });
  findings.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-go]");
    if (button) goTo(button.dataset.go);
  });
}
