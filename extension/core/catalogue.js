// Finds the listing of a host or an address, as `sovproxy/decide/catalogue.py` does.

import { addressNumber, prefixRange } from "./addresses.js";

/** Finds the value of the most specific pattern that a host name fits. @template T */
export class HostIndex {
  /** @param {Iterable<[string, T]>} patterns `zoom.us` is that name, `*.zoom.us` all below it */
  constructor(patterns) {
    /** @type {Map<string, T>} */
    this.values = new Map();
    for (const [pattern, value] of patterns) {
      if (!this.values.has(pattern)) this.values.set(pattern, value);
    }
  }

  /** @param {string} host in canonical spelling @returns {T | undefined} */
  find(host) {
    return this.all(host).next().value;
  }

  /** The values of every pattern that the host fits, most specific first. @param {string} host */
  *all(host) {
    const exact = this.values.get(host);
    if (exact !== undefined) yield exact;
    for (let dot = host.indexOf("."); dot >= 0; dot = host.indexOf(".", dot + 1)) {
      const below = this.values.get(`*${host.slice(dot)}`);
      if (below !== undefined) yield below;
    }
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
