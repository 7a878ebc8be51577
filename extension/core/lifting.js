// What lets the person pass all the same: a warning that they went on from, an exception that
// somebody granted. The twin of `sovproxy/decide/exceptions.py`.

/** Rungs whose stop no exception lifts. */
const NEVER_EXCEPTED = ["refused-network", "unreadable-destination", "on-error"];

/**
 * @typedef {{subject: string, until: number}} Acknowledgement of a service id or a host
 * @typedef {{number: number, service: string, host: string, below: boolean, until: number}} Exception
 * @typedef {{acknowledgements: Acknowledgement[], exceptions: Exception[]}} Permissions
 */

/** What an acknowledgement is for: the service, or the host when no service is known. */
export const subjectOf = (verdict, host) => verdict.service?.id ?? host;

/** Whether it stops the person, by something that an exception may lift. */
export const canBeExcepted = (verdict) => !verdict.passes && !NEVER_EXCEPTED.includes(verdict.rule);

/**
 * @param {object} verdict @param {string} host @param {Permissions} permissions
 * @param {number} now Unix seconds
 */
export function isLifted(verdict, host, { acknowledgements, exceptions }, now) {
  const subject = subjectOf(verdict, host);
  const goneOn = ({ subject: one, until }) => one === subject && until > now;
  if (verdict.action === "warn" && acknowledgements.some(goneOn)) return true;
  const covers = (one) => one.until > now && (one.service ? one.service === verdict.service?.id : coversHost(one, host));
  return canBeExcepted(verdict) && exceptions.some(covers);
}

function coversHost({ host: name, below }, host) {
  return host === name || (below && host.endsWith(`.${name}`));
}

/** Host patterns that exceptions name: rules have to be made for them. @param {Exception[]} exceptions */
export function patternsOfExceptions(exceptions) {
  const named = exceptions.filter(({ host }) => host);
  return named.flatMap(({ host, below }) => (below ? [host, `*.${host}`] : [host]));
}
