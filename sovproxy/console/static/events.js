// The events page: the live tail.

const MAX_ROWS = 500;

// Names stand in the page already, as the choices of the form.
function nameOf(field, value) {
  const choices = document.getElementById(`f-${field}`);
  const found = choices instanceof HTMLSelectElement && [...choices.options].find((option) => option.value === value);
  return found ? found.text : value;
}

function pivot(field, value) {
  const target = new URL(window.location.href);
  for (const name of ["cursor", "sort"]) target.searchParams.delete(name);
  if (!target.searchParams.getAll(field).includes(value)) target.searchParams.append(field, value);
  return linked(nameOf(field, value), target.href);
}

function linked(text, href) {
  const anchor = document.createElement("a");
  anchor.href = href;
  anchor.textContent = text;
  return anchor;
}

function clock(iso) {
  const [day, time] = iso.split("T");
  return `${day.split("-").reverse().join(".")} ${time.slice(0, 8)}`;
}

function badge(field, value) {
  const anchor = pivot(field, value);
  anchor.className = `badge is-${value}`;
  return anchor;
}

function isolated(content) {
  const element = document.createElement("bdi");
  element.append(content);
  return element;
}

function countries(codes) {
  const element = document.createElement("span");
  codes.forEach((code, index) => element.append(index ? ", " : "", pivot("control", code)));
  return element;
}

// What a cell of a column holds; the same as the server writes.
function content(event, field, base) {
  const value = event[field];
  if (field === "time") return linked(clock(event.time), base + encodeURIComponent(event.id));
  if (field === "action") return badge(field, value);
  if (field === "control") return countries(value);
  if (field === "host") return isolated(value ? pivot(field, value) : event.address);
  if (field === "decrypted") return pivot(field, String(value));
  if (field === "port") return value ? String(value) : "";
  return value ? isolated(pivot(field, String(value))) : "";
}

function row(event, base, columns) {
  const line = document.createElement("tr");
  line.className = "fresh";
  for (const { field, label } of columns) {
    const cell = line.insertCell();
    if (field === "time") cell.className = "nowrap";
    else if (field === "host") cell.className = "host";
    else if (field !== "action") cell.dataset.label = label;
    cell.append(content(event, field, base));
  }
  return line;
}

function columnsOf(rows) {
  const heads = [...rows.parentElement.tHead.rows[0].cells];
  return heads.map((cell) => ({ field: cell.dataset.field, label: cell.textContent }));
}

function tailing(bar, rows) {
  const ids = ["live-start", "live-pause", "live-status", "live-lag", "live-dropped", "live-sign-in"];
  const [start, pause, status, lag, lost, signIn] = ids.map((id) => document.getElementById(id));
  const columns = columnsOf(rows);
  const waiting = [];
  let [paused, dropped] = [false, 0];
  const fill = (text, number) => text.replace("{n}", number);
  const say = () => {
    status.textContent = paused ? fill(bar.dataset.paused, waiting.length) : bar.dataset.running;
    pause.textContent = paused ? bar.dataset.resume : bar.dataset.pause;
  };
  const drop = (number) => {
    dropped += number;
    lost.textContent = fill(bar.dataset.dropped, dropped);
  };
  const show = (event) => {
    rows.prepend(row(event, bar.dataset.base, columns));
    while (rows.rows.length > MAX_ROWS) rows.lastElementChild.remove();
  };
  const take = ({ data }) => {
    const event = JSON.parse(data);
    if (!paused) {
      show(event);
      return;
    }
    waiting.push(event);
    if (waiting.length > MAX_ROWS) {
      waiting.shift();
      drop(1);
    }
    say();
  };
  // The browser comes back by itself and says where it was (Last-Event-ID), unless it was refused:
  // then it has given up, and does not say why.
  const fail = ({ target }) => {
    const over = target.readyState === EventSource.CLOSED;
    status.textContent = over ? bar.dataset.over : bar.dataset.broken;
    if (!over) return;
    const held = pause === document.activeElement;
    start.textContent = bar.dataset.again;
    [start.hidden, signIn.hidden, pause.hidden] = [false, false, true];
    if (held) start.focus();
  };
  start.addEventListener("click", () => {
    const source = new EventSource(bar.dataset.stream);
    source.addEventListener("open", say);
    source.addEventListener("error", fail);
    source.addEventListener("message", take);
    source.addEventListener("gap", ({ data }) => drop(JSON.parse(data).missed));
    source.addEventListener("state", ({ data }) => {
      lag.textContent = fill(bar.dataset.lag, Math.round(JSON.parse(data).seconds));
    });
    [start.hidden, signIn.hidden, pause.hidden] = [true, true, false];
    pause.focus();
  });
  pause.addEventListener("click", () => {
    paused = !paused;
    if (!paused) waiting.splice(0).forEach(show);
    say();
  });
  bar.hidden = false;
}

const bar = document.getElementById("live");
if (bar) tailing(bar, document.getElementById("rows"));
