// Marks links to stopped services in web mail and calendars, quietly: a small sign after the link.
// (A content script cannot import modules; all that it knows it asks the background.)

(() => {
  "use strict";
  const api = globalThis.browser ?? globalThis.chrome;
  const MAX_HOSTS = 200;
  const seen = new Set();

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

  const mark = (link, { title }) => {
    const sign = document.createElement("span");
    sign.textContent = " ⚑";
    sign.title = title;
    sign.setAttribute("role", "img");
    sign.setAttribute("aria-label", title);
    sign.dataset.sovproxy = "";
    link.append(sign);
  };

  const look = async (root) => {
    const hosts = hostsOf(root);
    if (!hosts.size) return;
    const { answer } = await api.runtime.sendMessage({ kind: "links", hosts: [...hosts.keys()] });
    for (const [host, found] of Object.entries(answer ?? {})) {
      for (const link of hosts.get(host) ?? []) mark(link, found);
    }
  };

  look(document);
  let waiting = 0;
  new MutationObserver(() => {
    clearTimeout(waiting);
    waiting = setTimeout(() => look(document), 500);
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
