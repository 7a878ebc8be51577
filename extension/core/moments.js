// When rules have to be compiled anew.

/**
 * The next instant (Unix seconds) at which a phase begins or a permission ends; 0 for none.
 * @param {{until: number}[]} lifts
 */
export function nextTurningPoint(policy, lifts, now) {
  const phases = policy.rules.flatMap((rule) => rule.phases.map(([start]) => start));
  const coming = [...phases, ...lifts.map(({ until }) => until)].filter((instant) => instant > now);
  return coming.length ? Math.min(...coming) : 0;
}
