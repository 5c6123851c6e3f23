/** A time zone for a test that says today more than once. */

/** @returns one where it is about noon now, so that the day does not change while the test runs. */
export function noonTimezone(now = new Date()): string {
  const eastHours = 12 - now.getUTCHours();
  // These names count west of Greenwich: Etc/GMT-5 is five hours ahead.
  if (eastHours === 0) return 'Etc/GMT';
  return eastHours > 0 ? `Etc/GMT-${eastHours}` : `Etc/GMT+${-eastHours}`;
}
