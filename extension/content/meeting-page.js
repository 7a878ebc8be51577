// In the page's own world, before its scripts: notices that it takes camera, microphone or screen,
// or connects to a peer. It changes nothing and tells only `meeting.js`, by a target that no page sees.
// What both use is light on purpose: for the first node, the browser makes all that nodes can do, and
// that took half of the time that the two scripts take of a page.

(() => {
  "use strict";
  const line = new EventTarget();
  const noticed = new Event("noticed");

  const watch = (owner, name) => {
    const original = owner?.[name];
    if (typeof original !== "function") return; // pages without TLS have no camera
    owner[name] = new Proxy(original, {
      apply(target, self, values) {
        line.dispatchEvent(noticed);
        return Reflect.apply(target, self, values);
      },
    });
  };
  const media = globalThis.MediaDevices?.prototype;
  watch(media, "getUserMedia");
  watch(media, "getDisplayMedia");
  // A connection that never hears of a peer is how some pages look for a person's addresses.
  watch(globalThis.RTCPeerConnection?.prototype, "setRemoteDescription");

  // Which of the two scripts runs first is for the browser to say; both run before the page's.
  const handOver = () => !window.dispatchEvent(new FocusEvent("sovproxy-line", { relatedTarget: line, cancelable: true }));
  if (!handOver()) window.addEventListener("sovproxy-ready", handOver, { once: true });
})();
