// From evidence to jurisdiction, as `sovproxy/decide/jurisdiction.py` does.

/** Who runs what is listed: the service's operator, or the shared host's own. */
export const operatorOf = (listing) => listing?.service?.operator ?? listing?.operator ?? null;

/** Countries of the operators and of all their parents, each once. @returns {string[]} */
export function controlOf(...operators) {
  return [...new Set(operators.filter(Boolean).flatMap((operator) => operator.control))];
}

/** Combine control and location; an unknown controller is never called sovereign. */
export function standingOf(control, location, trustZone) {
  const here = trustZone.has(location);
  if (!control.length) return location && !here ? "abroad" : "unknown";
  if (!control.every((country) => trustZone.has(country))) {
    return here ? "hosted_here_controlled_abroad" : "abroad";
  }
  return here || !location ? "sovereign" : "abroad";
}

/** Assess one destination, as the catalogue lists it and as the databases place it. */
export function assess(listing, place, trustZone, powers) {
  const operator = operatorOf(listing) ?? place.operator;
  const control = controlOf(operator, place.operator);
  const foreign = [...new Set([...control, place.country])].filter((it) => it && !trustZone.has(it));
  return {
    standing: standingOf(control, place.country, trustZone),
    operator,
    place,
    control,
    powers: foreign.flatMap((country) => powers.get(country) ?? []),
  };
}
