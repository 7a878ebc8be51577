// IP addresses as numbers on one line, IPv4 first, as `sovproxy/decide/catalogue.py` has them.

const V6_START = 1n << 32n;
const SIX_TO_FOUR = 0x2002n; // RFC 3056: the IPv4 address follows these 16 bits
const BEFORE_IPV4 = new Set([0xffffn, 0x0064ff9bn << 64n]); // RFC 4291 mapped, RFC 6052 NAT64

/** The place of a canonical address on one line. @param {string} address @returns {bigint} */
export function addressNumber(address) {
  return address.includes(":") ? ipv6Number(address) + V6_START : BigInt(ipv4Number(address));
}

/**
 * First number of a prefix, and the first number after it.
 * @param {string} prefix such as `192.0.2.0/24` @returns {[bigint, bigint]}
 */
export function prefixRange(prefix) {
  const [address, length] = prefix.split("/");
  const bits = address.includes(":") ? 128 : 32;
  const size = 1n << BigInt(bits - Number(length ?? bits));
  const start = addressNumber(address);
  return [start, start + size];
}

/**
 * The canonical text of an IPv6 address that a URL parser has written, or of the IPv4 address that
 * it stands for (mapped, NAT64, 6to4, compatible).
 * @param {string} text without brackets
 */
export function plainAddress(text) {
  const value = ipv6Number(text);
  if (value >> 112n === SIX_TO_FOUR) return ipv4Text(Number((value >> 80n) & 0xffffffffn));
  const embedded = BEFORE_IPV4.has(value >> 32n) || (value > 0xffffn && value < V6_START);
  return embedded ? ipv4Text(Number(value & 0xffffffffn)) : text;
}

/** @param {string} text */
function ipv4Number(text) {
  return text.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** @param {number} value */
function ipv4Text(value) {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}

/** @param {string} text with at most one `::` @returns {bigint} */
function ipv6Number(text) {
  const [head, tail] = text.split("::").map((half) => (half ? half.split(":") : []));
  const missing = tail === undefined ? 0 : 8 - head.length - tail.length;
  const groups = [...head, ...Array(missing).fill("0"), ...(tail ?? [])];
  return groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}
