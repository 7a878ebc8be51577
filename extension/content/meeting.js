// Hears from `meeting-page.js` that the page holds a meeting, and tells the background, once.

(() => {
  "use strict";
  const api = globalThis.browser ?? globalThis.chrome;
  const take = (event) => {
    event.preventDefault(); // says that it has arrived
    event.relatedTarget?.addEventListener("noticed", () => api.runtime.sendMessage({ kind: "meeting" }).catch(() => {}), { once: true });
  };
  document.addEventListener("sovproxy-line", take, { once: true });
  document.dispatchEvent(new Event("sovproxy-ready"));
})();
