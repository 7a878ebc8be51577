// Ids that the API knows a message by, however often it is sent.

/** A UUIDv7 (RFC 9562 §5.7). @param {number} milliseconds @param {Uint8Array} random 10 bytes */
export function uuid7(milliseconds, random) {
  const time = milliseconds.toString(16).padStart(12, "0");
  const hex = [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const variant = ((random[2] & 0x3f) | 0x80).toString(16);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex.slice(1, 4)}-${variant}${hex.slice(6, 8)}-${hex.slice(8, 20)}`;
}
