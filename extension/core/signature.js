// Verifies the signed bundle: a compact JWS (RFC 7515) under ES256, by WebCrypto alone.

import { UnusableBundle } from "./bundle.js";

const TYPE = "sovproxy-bundle+jws";
const NO_BUNDLE = "what the server sent is no signed bundle";

/**
 * Open a signed bundle. Throws UnusableBundle when it is not signed by one of the keys.
 * @param {string} token @param {{keys: JsonWebKey[]}} keySet
 */
export async function openBundle(token, keySet) {
  const [head, payload, signature, ...rest] = token.trim().split(".");
  if (!signature || rest.length) throw new UnusableBundle(NO_BUNDLE);
  const header = json(head);
  if (header.typ !== TYPE || header.alg !== "ES256") {
    throw new UnusableBundle(`a ${TYPE} signed by ES256 is wanted, not ${header.typ} by ${header.alg}`);
  }
  const jwk = keySet.keys.find((key) => key.kid === header.kid);
  if (!jwk) throw new UnusableBundle("the bundle is signed by a key that is not trusted here");
  const signed = new TextEncoder().encode(`${head}.${payload}`);
  if (!(await verifies(jwk, bytes(signature), signed))) {
    throw new UnusableBundle("the bundle's signature is wrong: it was changed on its way");
  }
  return json(payload);
}

async function verifies({ kty, crv, x, y }, signature, signed) {
  const kind = { name: "ECDSA", namedCurve: "P-256" };
  const key = await crypto.subtle.importKey("jwk", { kty, crv, x, y }, kind, false, ["verify"]);
  return crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, signature, signed);
}

/** What a part of the token says; throws UnusableBundle unless it is an object. @param {string} base64url */
function json(base64url) {
  try {
    return Object(JSON.parse(text(bytes(base64url))));
  } catch {
    throw new UnusableBundle(NO_BUNDLE);
  }
}

/** @param {string} base64url */
function bytes(base64url) {
  try {
    const binary = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(binary, (letter) => letter.charCodeAt(0));
  } catch {
    throw new UnusableBundle(NO_BUNDLE);
  }
}

/** @param {Uint8Array} utf8 */
const text = (utf8) => new TextDecoder().decode(utf8);
