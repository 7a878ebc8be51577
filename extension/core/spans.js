// How long an exception may be wanted for. The twin of `ends` in `sovproxy/prompt/asking.py`.

/**
 * When each choice ends, soonest first: those that differ and last at most `days` days.
 * @param {Date} now @param {number} days @returns {{span: string, end: Date}[]}
 */
export function spansFrom(now, days) {
  const today = new Date(now);
  today.setHours(23, 59, 59, 0);
  const week = new Date(today);
  week.setDate(week.getDate() + ((7 - week.getDay()) % 7)); // to Sunday
  const longest = new Date(now.getTime() + days * 86_400_000);
  const kept = new Map();
  for (const [span, end] of Object.entries({ today, week, longest })) {
    if (end <= longest && !kept.has(end.getTime())) kept.set(end.getTime(), { span, end });
  }
  return [...kept.values()];
}
