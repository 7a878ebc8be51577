// The one file that touches browser APIs. Everything else gets what it needs from here.

const api = globalThis.browser ?? globalThis.chrome;

/** @returns {Promise<Record<string, unknown>>} what the administration has set */
export async function managedSettings() {
  try {
    return await api.storage.managed.get();
  } catch {
    return {}; // Firefox throws when there is no policy
  }
}

/** @param {string} name @returns {Promise<any>} what was stored, or undefined */
export async function stored(name) {
  return (await api.storage.local.get(name))[name];
}

/** @param {Record<string, unknown>} values */
export const store = (values) => api.storage.local.set(values);

/** The address of one of our pages. @param {string} path */
export const pageAddress = (path) => api.runtime.getURL(path);

/** Put these rules in force instead of those before, all at once. @param {object[]} rules */
export function replaceRules(rules) {
  // One after the other: two replacements at once would both add what neither has removed.
  return navigator.locks.request("rules", async () => {
    const old = await api.declarativeNetRequest.getDynamicRules();
    const removeRuleIds = old.map((rule) => rule.id);
    await api.declarativeNetRequest.updateDynamicRules({ removeRuleIds, addRules: rules });
  });
}

/** Call when the browser or the extension starts. @param {() => void} listener */
export function onStart(listener) {
  api.runtime.onInstalled.addListener(listener);
  api.runtime.onStartup.addListener(listener);
}

/** Call again and again, though the worker may die between. @param {string} name @param {number} minutes */
export function every(name, minutes, listener) {
  api.alarms.create(name, { periodInMinutes: minutes });
  api.alarms.onAlarm.addListener((alarm) => {
    if (alarm.name === name) listener();
  });
}

/** Call once at an instant. @param {string} name @param {number} when Unix seconds */
export const wakeAt = (name, when) => api.alarms.create(name, { when: when * 1000 });

/** @param {(alarm: string) => void} listener */
export const onWake = (listener) => api.alarms.onAlarm.addListener(({ name }) => listener(name));

/**
 * Answer messages of our own pages and content scripts. The handler gives a promise of the answer.
 * @param {(message: any, sender: {ownPage: boolean, tab: number, url: string, isPrivate: boolean}) => Promise<any>} handler
 */
export function onMessage(handler) {
  api.runtime.onMessage.addListener((message, sender, respond) => {
    if (sender.id !== api.runtime.id) return false;
    const url = sender.url ?? "";
    const ownPage = url.startsWith(api.runtime.getURL(""));
    const isPrivate = sender.tab?.incognito ?? false;
    handler(message, { ownPage, tab: sender.tab?.id ?? -1, url, isPrivate }).then(
      (answer) => respond({ answer }),
      (error) => respond({ problem: error.message }),
    );
    return true;
  });
}

/** Ask the background. Throws what went wrong there. @param {object} message */
export async function ask(message) {
  const { answer, problem } = await api.runtime.sendMessage(message);
  if (problem) throw new Error(problem);
  return answer;
}

/** The languages that the person reads, best first. @returns {string[]} */
export const readerLanguages = () => [api.i18n.getUILanguage(), ...navigator.languages];

/** A file of our own package, as JSON. @param {string} path */
export async function ownJson(path) {
  return (await fetch(api.runtime.getURL(path))).json();
}

/** The tab that the person looks at. @returns {Promise<{id: number, url: string} | undefined>} */
export async function currentTab() {
  const [tab] = await api.tabs.query({ active: true, currentWindow: true });
  return tab && { id: tab.id, url: tab.url ?? "" };
}

/** What is kept until the browser is closed, never on disk. @param {string} name */
export async function remembered(name) {
  return (await api.storage.session.get(name))[name];
}

/** @param {Record<string, unknown>} values */
export const remember = (values) => api.storage.session.set(values);

/** Private windows have a worker of their own in Chromium, and leave nothing on the disk. */
const ownDrawer = () => (api.extension.inIncognitoContext ? api.storage.session : api.storage.local);

/** What waits to be told. @returns {Promise<any[]>} */
export const keptBack = async () => (await ownDrawer().get("waiting")).waiting ?? [];

/** @param {any[]} waiting */
export const keepBack = (waiting) => ownDrawer().set({ waiting });

/** @param {string[]} names */
export const forget = (names) => api.storage.session.remove(names);

/**
 * Tell of every page that begins and everything that pages load. Nothing is held up or changed.
 * @param {{onPage: (tab: number, url: string) => void, onRequest: (tab: number, url: string) => void, onClosed: (tab: number) => void}} listeners
 */
export function watchPages({ onPage, onRequest, onClosed }) {
  const everything = { urls: ["http://*/*", "https://*/*"] };
  api.webNavigation.onCommitted.addListener(({ tabId, frameId, url }) => {
    if (frameId === 0) onPage(tabId, url);
  });
  api.webRequest.onBeforeRequest.addListener(({ tabId, type, url }) => {
    if (tabId >= 0 && type !== "main_frame") onRequest(tabId, url);
  }, everything);
  api.tabs.onRemoved.addListener(onClosed);
}

/**
 * Show a standing on the button of one tab.
 * @param {number} tab @param {Record<number, ImageData>} pictures by size @param {string} title
 */
export async function showOnButton(tab, pictures, title) {
  try {
    await api.action.setIcon({ tabId: tab, imageData: pictures });
    await api.action.setTitle({ tabId: tab, title });
  } catch {
    // the tab has been closed meanwhile
  }
}

/** Open one of our pages, or another address, in a new tab. @param {string} url */
export const openTab = (url) => api.tabs.create({ url });

/** Call when the window with the options is asked for. */
export const openOptions = () => api.runtime.openOptionsPage();

/** Call when the main page of a tab cannot be shown. @param {(failed: {tab: number, url: string, error: string}) => void} listener */
export function onPageError(listener) {
  api.webNavigation.onErrorOccurred.addListener(({ tabId, frameId, url, error }) => {
    if (frameId === 0) listener({ tab: tabId, url, error: String(error) });
  });
}

/** Show another page in a tab, instead of what is there. @param {number} tab @param {string} url */
export const showIn = (tab, url) => api.tabs.update(tab, { url }).catch(() => {}); // it may be closed by now

/** Have these content scripts run from now on instead of those before. @param {object[]} scripts */
export function replaceScripts(scripts) {
  return navigator.locks.request("scripts", async () => {
    await api.scripting.unregisterContentScripts();
    await api.scripting.registerContentScripts(scripts);
  });
}

/** Call when the administration or the person changes a setting. @param {(names: string[]) => void} listener */
export function onSettings(listener) {
  api.storage.onChanged.addListener((changes, area) => {
    if (area === "managed" || area === "local") listener(Object.keys(changes));
  });
}

/** Put a short mark on the button of one tab. @param {number} tab @param {string} text @param {string} title */
export async function badge(tab, text, title) {
  try {
    await api.action.setBadgeText({ tabId: tab, text });
    await api.action.setTitle({ tabId: tab, title });
  } catch {
    // the tab has been closed meanwhile
  }
}

/** Make this the only entry of ours in the menu of links. @param {string} id @param {string} title */
export function replaceLinkMenu(id, title) {
  return navigator.locks.request("menu", async () => {
    await api.contextMenus.removeAll();
    api.contextMenus.create({ id, title, contexts: ["link"], targetUrlPatterns: ["http://*/*", "https://*/*"] });
  });
}

/** @param {(id: string, url: string) => void} listener */
export function onLinkMenu(listener) {
  api.contextMenus.onClicked.addListener(({ menuItemId, linkUrl }) => listener(String(menuItemId), linkUrl));
}
