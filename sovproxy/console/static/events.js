// The events page: dragging over the histogram, and the live tail.

const SVG = "http://www.w3.org/2000/svg";
const MAX_ROWS = 500;

function dragging(chart) {
  const first = Date.parse(chart.dataset.first);
  const length = Number(chart.dataset.width) * Number(chart.dataset.count) * 1000;
  const across = (event) => {
    const box = chart.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
  };
  const mark = document.createElementNS(SVG, "rect");
  mark.setAttribute("class", "chosen");
  mark.setAttribute("y", "0");
  mark.setAttribute("height", "90");
  let from = null;
  chart.addEventListener("dragstart", (event) => event.preventDefault());
  chart.addEventListener("pointerdown", (event) => {
    from = event.button === 0 ? across(event) : null;
  });
  window.addEventListener("pointermove", (event) => {
    if (from === null) return;
    const to = across(event);
    if (Math.abs(to - from) < 0.01) return;
    mark.setAttribute("x", String(Math.min(from, to) * 1000));
    mark.setAttribute("width", String(Math.abs(to - from) * 1000));
    chart.append(mark);
  });
  window.addEventListener("pointerup", (event) => {
    if (from === null) return;
    const [low, high] = [from, across(event)].sort((a, b) => a - b);
    from = null;
    if (!mark.isConnected) return;
    // A click that ends the drag must not follow the bar under the pointer.
    window.addEventListener("click", (click) => click.preventDefault(), { capture: true, once: true });
    const iso = (share) => new Date(first + share * length).toISOString().slice(0, 19) + "Z";
    const target = new URL(window.location.href);
    for (const name of ["last", "cursor", "since", "until"]) target.searchParams.delete(name);
    target.searchParams.set("since", iso(low));
    target.searchParams.set("until", iso(high));
    window.location.assign(target);
  });
}

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

const chart = document.getElementById("histogram");
if (chart?.dataset.first) dragging(chart);
const bar = document.getElementById("live");
if (bar) tailing(bar, document.getElementById("rows"));
