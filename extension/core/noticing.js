// Which meetings are worth a notice, and where content scripts run. No browser in here.

/** Whether a meeting there should be told: it may pass, and is not known to be under accepted law. */
export function isWorthNotice({ passes, rule, jurisdiction }) {
  return passes && rule !== "internal" && jurisdiction.standing !== "sovereign";
}

/** Whether the administration may be told of it as a count: a name, and one that no catalogue lists. */
export function isForTheCount({ listing, service }, { host }) {
  return Boolean(host) && !listing && !service;
}

const HOST = /^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*$/i;

/** What of this is no host, as it was written. @param {string[]} hosts */
export const oddHosts = (hosts) => hosts.filter((host) => host !== "*" && !HOST.test(host));

/**
 * Match patterns of hosts, as the administration writes them: `mail.example`, `*.example`, `*`.
 * What is no host is left out: one bad line must not switch off the others.
 * @param {unknown} hosts
 */
export function matchPatterns(hosts) {
  if (!Array.isArray(hosts)) return [];
  const good = hosts.map((host) => String(host).trim()).filter((host) => host === "*" || HOST.test(host));
  return [...new Set(good)].map((host) => `*://${host}/*`);
}
