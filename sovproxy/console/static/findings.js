// The inbox by keyboard: j and k walk, Enter opens, v c e decide, / filters, ? shows the keys.

const rows = [...document.querySelectorAll("#inbox tbody tr")];
const keys = document.getElementById("keys");
const DECIDED = "sovproxy-inbox";
let here = -1;

function go(index) {
  here = Math.min(Math.max(index, 0), rows.length - 1);
  rows[here]?.querySelector("th a").focus();
}

function press(key) {
  const row = rows.find((line) => line.contains(document.activeElement)) ?? rows[here];
  const button = row?.querySelector(`button[data-key="${key}"]`);
  if (!button) return;
  sessionStorage.setItem(DECIDED, String(rows.indexOf(row)));
  button.click();
}

const filter = () => {
  const details = document.querySelector("details:has(#f-kind)");
  details.open = true;
  details.querySelector("#f-kind").focus();
};

const acts = {
  j: () => go(here + 1),
  k: () => go(here - 1),
  v: () => press("v"),
  c: () => press("c"),
  e: () => press("e"),
  "/": filter,
  "?": () => {
    keys.open = true;
    keys.scrollIntoView();
    keys.querySelector("summary").focus();
  },
};

for (const [index, row] of rows.entries()) {
  row.addEventListener("focusin", () => {
    here = index;
  });
}

// WCAG 2.1.4: single keys act only outside of fields, and only while the list or nothing is focused.
document.addEventListener("keydown", (event) => {
  const target = event.target;
  const typing = target instanceof Element && target.closest("input, select, textarea");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !(event.key in acts)) return;
  event.preventDefault();
  acts[event.key]();
});

// After a decision the page comes back, perhaps without that row: go on at the same place, once.
const decided = sessionStorage.getItem(DECIDED);
sessionStorage.removeItem(DECIDED);
if (decided !== null && rows.length) go(Number(decided));
