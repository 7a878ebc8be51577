// Finds the listing of a host or an address, as `sovproxy/decide/catalogue.py` does.

import { addressNumber, prefixRange } from "./addresses.js";

/**
 * Finds the value of the most specific pattern that a host name fits. The patterns are one sorted
 * text with the places where each begins: a map of as many short texts takes five times the memory.
 * @template T @template F
 */
export class HostIndex {
  /**
   * @param {Iterable<[string, T]>} patterns `zoom.us` is that name, `*.zoom.us` all below it; of
   * equals, the first counts
   * @param {(value: T, pattern: string) => F} [dress] makes what is found
   */
  constructor(patterns, dress = (value) => value) {
    const sorted = [...patterns].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    const kept = sorted.filter(([pattern], index) => index === 0 || pattern !== sorted[index - 1][0]);
    this.values = kept.map(([, value]) => value);
    this.starts = new Uint32Array(kept.length + 1);
    kept.forEach(([pattern], index) => (this.starts[index + 1] = this.starts[index] + pattern.length));
    this.text = kept.map(([pattern]) => pattern).join("");
    this.dress = dress;
  }

  get size() {
    return this.values.length;
  }

  /** Every pattern, sorted. */
  *patterns() {
    for (let index = 0; index < this.size; index += 1) yield this.#pattern(index);
  }

  /** @param {string} host in canonical spelling @returns {F | undefined} */
  find(host) {
    return this.all(host).next().value;
  }

  /** The values of every pattern that the host fits, most specific first. @param {string} host */
  *all(host) {
    for (const [value, pattern] of this.fitting(host)) yield this.dress(value, pattern);
  }

  /** The same, with the pattern of each. @param {string} host @returns {Generator<[T, string]>} */
  *fitting(host) {
    const exact = this.#place(host);
    if (exact >= 0) yield [this.values[exact], host];
    for (let dot = host.indexOf("."); dot >= 0; dot = host.indexOf(".", dot + 1)) {
      const pattern = `*${host.slice(dot)}`;
      const place = this.#place(pattern);
      if (place >= 0) yield [this.values[place], pattern];
    }
  }

  #pattern(index) {
    return this.text.slice(this.starts[index], this.starts[index + 1]);
  }

  /** Where a pattern stands, or -1. */
  #place(wanted) {
    let [low, high] = [0, this.size - 1];
    while (low <= high) {
      const middle = (low + high) >> 1;
      const found = this.#pattern(middle);
      if (found === wanted) return middle;
      if (found < wanted) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }
}

/** Finds the value of the longest prefix that an address lies in; of equals, the first. @template T */
export class PrefixIndex {
  /** @param {Iterable<[string, T]>} prefixes */
  constructor(prefixes) {
    /** @type {Map<number | string, Map<bigint, T>>} by size, then by first number */
    this.bySize = new Map();
    for (const [prefix, value] of prefixes) {
      const [start, end] = prefixRange(prefix);
      const size = end - start;
      const starts = this.bySize.get(size) ?? new Map();
      if (!starts.has(start)) starts.set(start, value);
      this.bySize.set(size, starts);
    }
    this.sizes = [...this.bySize.keys()].sort((a, b) => (a < b ? -1 : 1));
  }

  /** Every value whose prefix holds the address, longest prefix first. @param {string} address */
  *all(address) {
    const number = addressNumber(address);
    const [family, base] = address.includes(":") ? [128n, 1n << 32n] : [32n, 0n];
    for (const size of this.sizes) {
      if (size > 1n << family) continue;
      const offset = number - base;
      const value = this.bySize.get(size).get(base + offset - (offset % size));
      if (value !== undefined) yield value;
    }
  }

  /** @param {string} address @returns {T | undefined} */
  find(address) {
    return this.all(address).next().value;
  }
}
