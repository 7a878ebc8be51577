// Rooms: what is believed to be one, whoever says so. No browser in here.

import { ROOM_HOSTS, roomHost } from "./reply.js";

const PATH = /^\/[a-z0-9]{3}-[a-z0-9]{4}-[a-z0-9]{3}$/;
const TYPED = /^([a-z0-9]{3})-?([a-z0-9]{4})-?([a-z0-9]{3})$/i;
const LOOPBACK = /^(127(\.\d+){3}|localhost|\[::1\])$/;

/** Where Visio's own button for making a room stands; the manifest lets these frames in, and no others. */
export const SDK_ORIGINS = [...ROOM_HOSTS].map((host) => `https://${host}`);
export const SDK_BUTTON = "/sdk/create-button";

/** Whether a text is the link of a room, and of nothing else. @param {unknown} text */
export function isRoom(text) {
  if (typeof text !== "string" || !URL.canParse(text)) return false;
  const { protocol, hostname, pathname, href, origin } = new URL(text);
  const secure = protocol === "https:" || (protocol === "http:" && LOOPBACK.test(hostname));
  return secure && PATH.test(pathname) && href === origin + pathname && text === href;
}

/**
 * The room that Visio's button tells of; empty when the message is of somebody else or of something else.
 * @param {{origin: string, data: any}} message @param {string} origin of the frame with the button
 */
export function roomIn({ origin: from, data }, origin) {
  if (from !== origin || data?.type !== "ROOM_CREATED") return "";
  const url = data.data?.room?.url;
  return isRoom(url) && new URL(url).origin === origin ? url : "";
}

/** The origin whose button makes rooms on the alternative; empty when it is not known to have one. */
export function sdkOrigin(alternative) {
  const host = roomHost(alternative);
  return host ? `https://${host}` : "";
}

/**
 * What somebody typed as the link of a room: a bare code becomes a link, anything else stays.
 * `odd` tells that it is no link of the alternative.
 */
export function typedRoom(text, alternative) {
  const host = roomHost(alternative);
  const code = TYPED.exec(text.trim());
  const link = host && code ? `https://${host}/${code.slice(1).join("-").toLowerCase()}` : text.trim();
  const odd = Boolean(host && link) && !(URL.canParse(link) && new URL(link).hostname === host);
  return { link, odd };
}
