// Draws every [data-chart] of a page from the table inside it, by Plotly. Nothing is fetched, and
// nothing is in a drawing that is not in its table. Columns look the same in black and white: each
// verdict has a pattern of its own.

/* global Plotly */

const LANGUAGE = document.documentElement.lang.replace(/^en$/, "en-GB");
const QUIET = { displayModeBar: false, responsive: true, showTips: false, doubleClick: false };
const PATTERNS = { block: "", warn: "/", observe: ".", allow: "" };
const UTC = { timeZone: "UTC" };

// Plotly reads a little HTML in its texts; names come from outside and are no HTML.
const plain = (text, most = 60) => {
  const short = text.trim().length > most ? `${text.trim().slice(0, most - 1)}…` : text.trim();
  return short.replace(/[&<>]/g, (char) => `&#${char.codePointAt(0)};`);
};
const number = (value) => new Intl.NumberFormat(LANGUAGE).format(value);

// How Plotly writes numbers: decimal mark and mark of thousands of the reader's language.
function separators() {
  const parts = new Intl.NumberFormat(LANGUAGE, { useGrouping: "always" }).formatToParts(12345.6);
  return ["decimal", "group"].map((type) => parts.find((part) => part.type === type)?.value ?? "").join("");
}

// The page's own colours; on paper always the light ones, which .paper has at all times.
function theme(printed) {
  const paper = Object.assign(document.createElement("span"), { className: "paper", hidden: true });
  document.body.append(paper);
  const style = getComputedStyle(printed ? paper : document.documentElement);
  const names = ["ink", "muted", "card", "line", "control", "block", "warn", "warn-soft", "observe", "observe-soft", "good", "good-soft"];
  const colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  paper.remove();
  return { ...colours, font: getComputedStyle(document.body).fontFamily };
}

function layoutOf(colours) {
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: colours.font, size: 13, color: colours.ink },
    hoverlabel: { bgcolor: colours.card, bordercolor: colours.control, font: { family: colours.font, size: 13, color: colours.ink }, align: "left" },
  };
}

function markers(action, colours) {
  const [strong, soft] = {
    block: [colours.block, colours.block],
    warn: [colours.warn, colours["warn-soft"]],
    observe: [colours.observe, colours["observe-soft"]],
    allow: [colours["good-soft"], colours["good-soft"]],
  }[action];
  const shape = PATTERNS[action];
  const edge = { allow: colours.good }[action] ?? strong;
  const pattern = shape ? { shape, fgcolor: strong, bgcolor: soft, size: 6, solidity: shape === "." ? 0.3 : 0.4 } : {};
  return { color: strong, pattern, line: { color: edge, width: 1 } };
}

// Ticks in the reader's language; Plotly alone speaks English.
function ticks(first, last, room) {
  const long = last - first > 3 * 86_400_000;
  const places = Math.max(2, Math.floor(room / (long ? 64 : 110)));
  const format = new Intl.DateTimeFormat(LANGUAGE, long ? { day: "numeric", month: "short", ...UTC } : { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", ...UTC });
  const steps = [60, 300, 900, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 172_800, 259_200, 604_800, 1_209_600, 2_592_000].map((each) => each * 1000);
  const step = steps.find((each) => (last - first) / each <= places) ?? (last - first) / places;
  const tickvals = [];
  for (let at = Math.ceil(first / step) * step; at <= last; at += step) tickvals.push(at);
  return { tickvals, ticktext: tickvals.map((at) => format.format(at)) };
}

// Connections are whole: few of them get one tick each, not "0, 1, 1, 2, 2".
function counts(rows) {
  const heights = rows.map((row) => [...row.cells].reduce((sum, cell) => sum + Number(cell.dataset.value ?? 0), 0));
  return Math.max(...heights) < 5 ? { dtick: 1 } : { nticks: 5 };
}

function columns(figure, drawing, colours) {
  const rows = [...figure.querySelectorAll("tbody tr")];
  const width = Number(figure.dataset.width) * 1000;
  const starts = rows.map((row) => Date.parse(row.cells[0].dataset.time));
  const step = Math.floor(Date.parse(figure.dataset.since) / width) * width;
  const range = [step, Math.ceil(Date.parse(figure.dataset.until) / width) * width];
  const names = [...figure.querySelectorAll("thead th[data-key]")];
  const hover = rows.map((row) => names.map((name, index) => `${plain(name.textContent)}: ${plain(row.cells[index + 1].textContent)}`).reverse().join("<br>"));
  const traces = names.map((name, index) => ({
    type: "bar",
    name: plain(name.textContent),
    x: starts.map((start) => start + width / 2),
    width: width * 0.86,
    y: rows.map((row) => Number(row.cells[index + 1].dataset.value)),
    marker: markers(name.dataset.key, colours),
    customdata: rows.map((row, at) => `<b>${plain(row.cells[0].textContent)}</b><br>${hover[at]}`),
    hovertemplate: "%{customdata}<extra></extra>",
    selected: { marker: { opacity: 1 } },
    unselected: { marker: { opacity: 0.45 } },
  }));
  const coarse = window.matchMedia("(pointer: coarse)").matches;
  const axis = { fixedrange: true, linecolor: colours.control, gridcolor: colours.line, zeroline: false, tickfont: { color: colours.muted, size: 12 } };
  const layout = {
    ...layoutOf(colours),
    barmode: "stack",
    showlegend: false,
    margin: { l: 8, r: 8, t: 8, b: 28 },
    xaxis: { ...axis, type: "linear", range, showgrid: false, ...ticks(...range, drawing.clientWidth) },
    yaxis: { ...axis, automargin: true, rangemode: "tozero", ...counts(rows), tickformat: ",d" },
    separators: separators(),
    dragmode: figure.dataset.selects && !coarse ? "select" : false,
    selectdirection: "h",
    newselection: { line: { color: colours.ink, width: 1, dash: "dot" } },
  };
  return { traces, layout, links: { rows } };
}

// One node for each value of each column of the table, one ribbon for each pair of neighbours.
function flow(figure, drawing, colours) {
  const nodes = new Map();
  const ribbons = new Map();
  for (const row of figure.querySelectorAll("tbody tr")) {
    const cells = [...row.cells];
    const count = Number(cells.pop().dataset.value);
    const path = cells.map((cell, level) => nodeOf(nodes, cell, level, count));
    path.slice(1).forEach((node, level) => {
      const key = `${path[level].place}>${node.place}`;
      const ribbon = ribbons.get(key) ?? { source: path[level], target: node, count: 0 };
      ribbon.count += count;
      ribbons.set(key, ribbon);
    });
  }
  const all = [...nodes.values()];
  const links = [...ribbons.values()];
  const paint = { outside: colours.block, inside: colours["good-soft"], unknown: colours["observe-soft"] };
  const trace = {
    type: "sankey",
    arrangement: "fixed",
    node: {
      label: all.map((node) => `${plain(node.text, 34)}  ${number(node.count)}`),
      color: all.map((node) => paint[node.side] ?? colours.control),
      line: { color: colours.ink, width: 0.75 },
      thickness: 14,
      pad: 18,
      customdata: all.map((node) => `<b>${plain(node.text)}</b><br>${number(node.count)}`),
      hovertemplate: "%{customdata}<extra></extra>",
    },
    link: {
      source: links.map((link) => link.source.place),
      target: links.map((link) => link.target.place),
      value: links.map((link) => link.count),
      color: links.map((link) => faint(link.target.side === "outside" ? colours.block : colours.control, link.target.side === "outside" ? 0.5 : 0.2)),
      hovercolor: links.map((link) => faint(link.target.side === "outside" ? colours.block : colours.control, 0.7)),
      customdata: links.map((link) => `${plain(link.source.text)} → ${plain(link.target.text)}<br><b>${number(link.count)}</b>`),
      hovertemplate: "%{customdata}<extra></extra>",
    },
    textfont: { color: colours.ink, size: 13, shadow: [1, -1].map((x) => `${x}px ${x}px 2px ${colours.card}, ${x}px ${-x}px 2px ${colours.card}`).join(", ") },
  };
  const most = Math.max(...[0, 1, 2].map((level) => all.filter((node) => node.level === level).length));
  const layout = { ...layoutOf(colours), margin: { l: 2, r: 2, t: 10, b: 10 }, height: Math.max(300, most * 36 + 80) };
  return { traces: [trace], layout, links: { nodes: all, ribbons: links } };
}

function nodeOf(nodes, cell, level, count) {
  const key = `${level}:${cell.dataset.key}`;
  if (!nodes.has(key)) {
    const href = cell.querySelector("a")?.href ?? "";
    nodes.set(key, { place: nodes.size, level, text: cell.textContent, side: cell.dataset.side, href, count: 0 });
  }
  const node = nodes.get(key);
  node.count += count;
  return node;
}

function faint(colour, opacity) {
  const hex = colour.replace("#", "");
  const [red, green, blue] = [0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
  return `rgba(${red},${green},${blue},${opacity})`;
}

const KINDS = { columns, flow };

function draw(figure, printed = false) {
  const drawing = figure.querySelector(".drawing");
  if (!drawing || !figure.querySelector("tbody tr")) return;
  const { traces, layout, links } = KINDS[figure.dataset.chart](figure, drawing, theme(printed));
  drawing.links = links;
  Plotly.react(drawing, traces, layout, QUIET);
  drawing.querySelectorAll("svg").forEach((svg) => svg.setAttribute("aria-hidden", "true"));
}

// Where a mark leads: the links that stand in its table.
function follow({ points: [point] }, { rows, nodes, ribbons }) {
  if (rows) return rows[point.pointIndex].querySelector("a")?.href;
  if ("source" in point) {
    const [first, second] = [ribbons[point.index].source.href, ribbons[point.index].target.href];
    return first && second ? both(first, second) : first || second;
  }
  return nodes[point.index].href;
}

function both(first, second) {
  const target = new URL(first);
  for (const [name, value] of new URL(second).searchParams) {
    if (!target.searchParams.getAll(name).includes(value)) target.searchParams.append(name, value);
  }
  return target.href;
}

function narrow([from, to]) {
  const iso = (time) => `${new Date(time).toISOString().slice(0, 19)}Z`;
  const target = new URL(window.location.href);
  for (const name of ["last", "cursor", "since", "until"]) target.searchParams.delete(name);
  target.searchParams.set("since", iso(from));
  target.searchParams.set("until", iso(to));
  window.location.assign(target);
}

const figures = [...document.querySelectorAll("[data-chart]")];
const drawAll = (printed) => figures.forEach((figure) => draw(figure, printed));
drawAll(false);
for (const figure of figures) {
  const drawing = figure.querySelector(".drawing");
  drawing?.on?.("plotly_click", (event) => {
    const href = follow(event, drawing.links);
    if (href) window.location.assign(href);
  });
  drawing?.on?.("plotly_selected", (event) => {
    if (event?.range) narrow(event.range.x.map(Number).sort((a, b) => a - b));
  });
}
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(false));
window.addEventListener("beforeprint", () => drawAll(true));
window.addEventListener("afterprint", () => drawAll(false));
