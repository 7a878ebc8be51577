// Hears from `meeting-page.js` that the page holds a meeting, and tells the background, once.

(() => {
  "use strict";
  const tell = () => (globalThis.browser ?? globalThis.chrome).runtime.sendMessage({ kind: "meeting" }).catch(() => {});
  const take = (event) => {
    event.preventDefault(); // says that it has arrived
    event.relatedTarget?.addEventListener("noticed", tell, { once: true });
  };
  window.addEventListener("sovproxy-line", take, { once: true });
  window.dispatchEvent(new Event("sovproxy-ready"));
})();
