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

function row(event, base, labels) {
  const line = document.createElement("tr");
  line.className = "fresh";
  const badge = pivot("action", event.action);
  badge.className = `badge is-${event.action}`;
  const host = document.createElement("bdi");
  host.append(event.host ? pivot("host", event.host) : event.address);
  const control = document.createElement("span");
  event.control.forEach((code, index) => control.append(index ? ", " : "", pivot("control", code)));
  const others = ["group", "rule"].map((field) => (event[field] ? pivot(field, event[field]) : ""));
  const service = event.service ? pivot("service", event.service) : "";
  const cells = [linked(clock(event.time), base + encodeURIComponent(event.id)), badge, host, service, control, ...others];
  cells.forEach((content, index) => {
    const cell = line.insertCell();
    if (index === 0) cell.className = "nowrap";
    if (index > 2) cell.dataset.label = labels[index];
    cell.append(content);
  });
  return line;
}

function tailing(bar, rows) {
  const [start, pause, status] = ["live-start", "live-pause", "live-status"].map((id) => document.getElementById(id));
  const labels = [...rows.parentElement.tHead.rows[0].cells].map((cell) => cell.textContent);
  const waiting = [];
  let paused = false;
  const say = () => {
    status.textContent = paused ? bar.dataset.paused.replace("{n}", waiting.length) : bar.dataset.running;
    pause.textContent = paused ? bar.dataset.resume : bar.dataset.pause;
  };
  const show = (event) => {
    rows.prepend(row(event, bar.dataset.base, labels));
    while (rows.rows.length > MAX_ROWS) rows.lastElementChild.remove();
  };
  start.addEventListener("click", () => {
    const source = new EventSource(bar.dataset.stream);
    source.addEventListener("open", say);
    source.addEventListener("error", () => {
      status.textContent = bar.dataset.broken;
    });
    source.addEventListener("message", ({ data }) => {
      const event = JSON.parse(data);
      if (!paused) {
        show(event);
        return;
      }
      waiting.push(event);
      if (waiting.length > MAX_ROWS) waiting.shift();
      say();
    });
    start.hidden = true;
    pause.hidden = false;
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
