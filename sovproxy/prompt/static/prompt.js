// Makes the reply easier: fills in the link and copies the text. The page works without it.
(() => {
  "use strict";
  const reply = document.getElementById("reply");
  if (!reply) return;
  const field = document.getElementById("room");
  const status = document.getElementById("reply-status");
  const areas = [...reply.querySelectorAll("textarea")];
  const say = (key) => { status.textContent = key ? status.dataset[key] : ""; };

  // What stands in each text now: the placeholder at first, the last link afterwards. Only this
  // part is replaced, so that what the worker wrote around it stays.
  const standing = new Map(areas.map((area) => [area, area.dataset.placeholder]));

  const room = (text) => {
    const code = /^([a-z0-9]{3})-?([a-z0-9]{4})-?([a-z0-9]{3})$/i.exec(text);
    if (!code || !field.dataset.host) return text;
    return `https://${field.dataset.host}/${code.slice(1).join("-").toLowerCase()}`;
  };

  const belongs = (link) => {
    if (!field.dataset.host || !link) return true;
    return URL.canParse(link) && new URL(link).hostname === field.dataset.host;
  };

  const fill = () => {
    const link = room(field.value.trim());
    for (const area of areas) {
      const next = link || area.dataset.placeholder;
      area.value = area.value.replace(standing.get(area), () => next);
      standing.set(area, next);
    }
    say(belongs(link) ? "" : "odd");
  };

  const select = (area) => {
    area.focus();
    area.select();
    say(document.execCommand("copy") ? "copied" : "selected");
  };

  const copy = async (area) => {
    try {
      await navigator.clipboard.writeText(area.value);
      say("copied");
    } catch {
      select(area); // no clipboard on plain HTTP, or the browser refused
    }
  };

  for (const part of reply.querySelectorAll("[data-script]")) {
    part.hidden = part.dataset.script === "off";
  }
  if (field) field.addEventListener("input", fill);
  for (const button of reply.querySelectorAll("button")) {
    button.addEventListener("click", () => copy(document.getElementById(button.dataset.copies)));
  }
})();
