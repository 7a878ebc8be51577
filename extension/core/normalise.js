// Reads whatever names a destination into one spelling, with the browser's own URL parser.
// What cannot be read comes back with `problem`; nothing here throws.

import { plainAddress } from "./addresses.js";
import { ChosenBy } from "./words.js";

const MAX_INPUT = 2048;
const MAX_HOST = 253;
const MAX_LABEL = 63;
const SHOWN = 256;
const WEB = /^(?:https?|wss?|ftp):/i;
const AUTHORITY = /^(?:[a-z][a-z0-9+.-]*:)?[/\\]{2}/i;
const IPV4 = /^[0-9.]+$/;
const DEFAULT_PORTS = { "http:": 80, "ws:": 80, "https:": 443, "wss:": 443, "ftp:": 21 };

/**
 * @typedef {{host: string, address: string, port: number, chosenBy: string, problem?: string}} Destination
 * `host` is lower-case ASCII without trailing dot, `address` canonical; each may be empty. `port`
 * is 0 when unknown. `problem` says why the text could not be read.
 */

/**
 * Read what a person typed or pasted, or what a link holds.
 * @param {string} text @returns {Destination}
 */
export function readDestination(text) {
  if (text.length > MAX_INPUT) return unreadable(text, `is longer than ${MAX_INPUT} characters`);
  const trimmed = text.replace(/[\t\n\r]/g, "").replace(/^[\0- \u00a0]+|[\0- \u00a0]+$/g, "");
  const [scheme, rest] = parts(trimmed);
  const authority = rest.split(/[/\\?#]/, 1)[0];
  const { host, port } = splitPort(authority.slice(authority.lastIndexOf("@") + 1));
  if (port === null) return unreadable(text, "has a port that is not a number from 1 to 65535");
  const read = readHost(host, port || DEFAULT_PORTS[scheme] || 0);
  return read.problem ? unreadable(text, read.problem) : read;
}

/** Scheme (or empty) and what follows it and its slashes. @param {string} text */
function parts(text) {
  const web = WEB.exec(text);
  if (web) return [web[0].toLowerCase(), text.slice(web[0].length).replace(/^[/\\]*/, "")];
  return ["", text.replace(AUTHORITY, "")];
}

/** The port is 0 when there is none and null when it is not one. @param {string} authority */
function splitPort(authority) {
  const colon = authority.lastIndexOf(":");
  const inLiteral = authority.slice(0, Math.max(colon, 0)).split("[", 1)[0].includes(":");
  if (colon < 0 || authority.endsWith("]") || inLiteral) return { host: authority, port: 0 };
  const [host, port] = [authority.slice(0, colon), authority.slice(colon + 1)];
  if (!port) return { host, port: 0 };
  const valid = /^[0-9]+$/.test(port) && Number(port) > 0 && Number(port) < 65536;
  return { host, port: valid ? Number(port) : null };
}

/**
 * Read a host without scheme, port or path.
 * @param {string} text @param {number} [port] @returns {Destination}
 */
export function readHost(text, port = 0) {
  const literal = text.startsWith("[") || text.includes(":");
  const inner = text.replace(/^\[(.*)\]$/s, "$1").split("%", 1)[0];
  const name = hostnameOf(literal ? `[${inner}]` : text);
  if (name === null) return unreadable(text, literal ? "is not an IPv6 address" : "is not a host name");
  if (name.startsWith("[")) return atAddress(plainAddress(name.slice(1, -1)), port);
  const problem = problemOf(name);
  if (!problem && IPV4.test(name)) return atAddress(name, port);
  return problem ? unreadable(text, problem) : { host: name, address: "", port, chosenBy: ChosenBy.NOBODY };
}

/**
 * The host as the URL parser spells it, without trailing dot; null when it refuses. It would cut
 * blanks and control characters off the end: no host has them. @param {string} text
 */
function hostnameOf(text) {
  if (/[\0- ]/.test(text)) return null;
  try {
    return new URL(`http://${text}`).hostname.replace(/\.$/, "");
  } catch {
    return null;
  }
}

/** @param {string} name */
function problemOf(name) {
  const labels = name.split(".");
  if (name.length > MAX_HOST) return `is longer than ${MAX_HOST} characters`;
  if (!labels.every(Boolean)) return "has an empty label (two dots in a row)";
  if (labels.some((label) => label.length > MAX_LABEL)) return `has a label longer than ${MAX_LABEL} characters`;
  return "";
}

/** @param {string} address @param {number} port @returns {Destination} */
function atAddress(address, port) {
  return { host: "", address, port, chosenBy: ChosenBy.CLIENT };
}

/** @param {string} text @param {string} problem @returns {Destination} */
function unreadable(text, problem) {
  return { host: text.slice(0, SHOWN), address: "", port: 0, chosenBy: ChosenBy.NOBODY, problem };
}
