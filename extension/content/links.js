// Marks links to stopped services with a small flag and a menu. What the links mean, the background
// decides; this file finds them and shows the answer. (A content script cannot import modules.)

// The page comes first: all of this waits until it has nothing to do, and is compiled only then. (A
// function in brackets that is called at once would be compiled while the page loads.)
requestIdleCallback(() => {
  "use strict";
  const MAX_HOSTS = 200;
  const MAX_MARKS = 50;
  const PAUSE = 500; // milliseconds without changes before new links are looked at
  const seen = new WeakSet();
  const extension = () => globalThis.browser ?? globalThis.chrome; // made by the browser when first asked for
  let marks = 0;

  // Few plain rules: `all` in a rule costs more than everything else of a flag together. What the
  // page could hand down is reset on the place itself.
  const STYLE = `
    .flag { appearance: none; box-sizing: border-box; cursor: pointer; display: block; width: 24px; height: 24px;
      margin: 0; border: 0; padding: 5px; background: none; }
    .flag::before { content: ""; display: block; width: 14px; height: 14px; background: #b1201a; forced-color-adjust: none;
      clip-path: polygon(1px 0, 13px 0, 10px 4.5px, 13px 9px, 3px 9px, 3px 14px, 1px 14px); }
    .flag:focus-visible { outline: 3px solid #0a4fbf; outline-offset: 1px; }`;
  const STYLE_OF_MENU = `
    .menu { all: unset; position: fixed; margin: 0; box-sizing: border-box; width: 19rem; max-width: 90vw; padding: .4rem;
      color: #161616; background: #fff; border: 1px solid #5b6472; border-radius: .5rem; box-shadow: 0 4px 16px #0005; }
    .menu:not(:popover-open) { display: none; }
    .menu > * { all: unset; box-sizing: border-box; display: block; width: 100%; padding: .4rem .6rem; border-radius: .3rem;
      font: 14px/1.4 system-ui, sans-serif; }
    .menu p { font-weight: 600; }
    .menu p:empty { display: none; }
    .menu [role=menuitem] { cursor: pointer; text-decoration: underline; text-underline-offset: .2em; }
    .menu [role=menuitem]:hover { background: #e8ecf3; }
    .menu :focus-visible { outline: 3px solid #0a4fbf; outline-offset: 1px; }
    @media (prefers-color-scheme: dark) {
      .menu { color: #f2f4f8; background: #1d232e; border-color: #9aa4b5; }
      .menu [role=menuitem]:hover { background: #333d4e; }
      .menu :focus-visible { outline-color: #8ab4ff; }
    }`;

  const make = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };

  /** What every flag is a copy of, made when the first is wanted: its style is read once. */
  let models = null;
  const makeModels = () => {
    const inside = make("template");
    inside.content.append(make("style", {}, STYLE), make("button", { type: "button", class: "flag", "aria-haspopup": "menu", "aria-expanded": "false" }));
    const style = "all:initial!important;position:absolute!important;width:24px!important;height:24px!important;z-index:1!important";
    return { inside, place: make("span", { "data-sovproxy": "", style }) };
  };

  /** A place out of the page's flow: nothing moves, and the page sees an empty element. */
  const placeAfter = (link) => {
    const place = models.place.cloneNode();
    link.after(place);
    return { link, place };
  };

  /** Move the places to the ends of their links: first all are measured, then all are moved. */
  const settle = (placed) => {
    const moves = placed.map(({ link, place }) => [place, [...link.getClientRects()].at(-1), place.getBoundingClientRect()]);
    for (const [place, end, found] of moves) {
      if (end) place.style.setProperty("translate", `${Math.round(end.right - found.left - 4)}px ${Math.round(end.top - found.top - 12)}px`, "important");
    }
  };

  const copyInto = async (status, { reply, done, failed }) => {
    const worked = await navigator.clipboard?.writeText(reply).then(() => true, () => false);
    status.textContent = worked ? done : failed;
  };

  const itemsOf = (link, mark, status) => {
    const item = (text, act) => {
      const button = make("button", { type: "button", role: "menuitem", tabindex: "-1" }, text);
      button.addEventListener("click", (event) => event.isTrusted && act());
      return button;
    };
    const open = mark.open && make("a", { href: mark.open.url, target: "_blank", rel: "noopener noreferrer", role: "menuitem", tabindex: "-1" }, mark.open.text);
    const copy = mark.copy && item(mark.copy.text, () => copyInto(status, mark.copy));
    const explain = item(mark.explain, () => extension().runtime.sendMessage({ kind: "explain", url: link.href }));
    return [open, copy, explain].filter(Boolean);
  };

  const onKey = (event, { root, menu, flag, items }) => {
    event.stopPropagation(); // web mail has keys of its own
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") {
      menu.hidePopover();
      flag.focus();
    }
    if (!step) return;
    event.preventDefault();
    const at = items.indexOf(root.activeElement);
    items.at((at + step + items.length) % items.length).focus();
  };

  const show = (menu, flag, items) => {
    const { left, bottom } = flag.getBoundingClientRect();
    menu.showPopover();
    menu.style.left = `${Math.max(4, Math.min(left, innerWidth - menu.offsetWidth - 4))}px`;
    menu.style.top = `${Math.max(4, Math.min(bottom, innerHeight - menu.offsetHeight - 4))}px`;
    items[0].focus();
  };

  /** The menu of a flag, made when it is first wanted. */
  const menuOf = (link, answer, flag, root) => {
    const status = make("p", { role: "status" });
    const items = itemsOf(link, answer, status);
    const menu = make("div", { class: "menu", role: "menu", "aria-label": answer.title, popover: "auto" }, make("p", { role: "presentation" }, answer.title), ...items, status);
    menu.addEventListener("keydown", (event) => onKey(event, { root, menu, flag, items }));
    menu.addEventListener("toggle", ({ newState }) => flag.setAttribute("aria-expanded", String(newState === "open")));
    root.append(make("style", {}, STYLE_OF_MENU), menu);
    return () => show(menu, flag, items);
  };

  const mark = ({ link, place }, answer) => {
    const root = place.attachShadow({ mode: "closed" });
    root.append(document.importNode(models.inside.content, true));
    const flag = root.lastElementChild;
    flag.title = answer.title;
    flag.ariaLabel = answer.title;
    let open = null;
    flag.addEventListener("click", (event) => {
      if (!event.isTrusted) return;
      open ??= menuOf(link, answer, flag, root);
      open();
    });
  };

  const hostsOf = (root) => {
    const hosts = new Map();
    for (const link of root.querySelectorAll("a[href]")) {
      if (!/^https?:$/.test(link.protocol) || link.hostname === location.hostname) continue;
      if (seen.has(link) || hosts.size >= MAX_HOSTS) continue;
      seen.add(link);
      hosts.set(link.hostname, [...(hosts.get(link.hostname) ?? []), link]);
    }
    return hosts;
  };

  const flagAll = (found, hosts) => {
    const wanted = Object.entries(found).flatMap(([host, answer]) => (hosts.get(host) ?? []).map((link) => [link, answer]));
    const here = wanted.filter(([link]) => link.isConnected).slice(0, MAX_MARKS - marks);
    if (!here.length) return;
    marks += here.length;
    models ??= makeModels();
    const placed = here.map(([link]) => placeAfter(link));
    placed.forEach((one, index) => mark(one, here[index][1]));
    settle(placed);
  };

  const look = async () => {
    const hosts = hostsOf(document);
    if (!hosts.size || marks >= MAX_MARKS) return;
    const { answer } = (await extension().runtime.sendMessage({ kind: "links", hosts: [...hosts.keys()] })) ?? {};
    whenIdle(() => flagAll(answer ?? {}, hosts));
  };

  /** The page comes first: nothing of this is done while it has something to do, for a second at most. */
  const whenIdle = (act) => requestIdleCallback(act, { timeout: 1000 });

  look();
  let waiting = 0;
  new MutationObserver((changes) => {
    if (!changes.some(({ addedNodes }) => addedNodes.length)) return;
    clearTimeout(waiting);
    waiting = setTimeout(whenIdle, PAUSE, look);
  }).observe(document, { childList: true, subtree: true });
}, { timeout: 1000 });
