/** Numbers and states as short plain words. Pure. */

const numbers = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 1 });

/** @param {number | null} count */
export function countText(count) {
  return count === null ? 'not known' : numbers.format(count);
}

/**
 * @param {number | null} seconds
 * @returns {string} the two largest units: '45 s', '3 min 20 s', '2 h 5 min', '4 d 1 h'.
 */
export function durationText(seconds) {
  if (seconds === null) return 'not known';
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const steps = /** @type {const} */ ([
    [86_400, 'd', 3_600, 'h'],
    [3_600, 'h', 60, 'min'],
    [60, 'min', 1, 's'],
  ]);
  for (const [large, largeUnit, small, smallUnit] of steps) {
    if (whole < large) continue;
    const rest = Math.floor((whole % large) / small);
    const tail = rest === 0 ? '' : ` ${rest} ${smallUnit}`;
    return `${Math.floor(whole / large)} ${largeUnit}${tail}`;
  }
  return `${whole} s`;
}

/**
 * Down, never up: 99.96 % is not everyone.
 * @param {number} ratio
 */
export function percentText(ratio) {
  return `${numbers.format(Math.floor(ratio * 1_000) / 10)} %`;
}

/** @param {number | null} perSecond */
export function rateText(perSecond) {
  return perSecond === null ? 'not known' : `${numbers.format(perSecond)}/s`;
}

/**
 * @param {Readonly<Record<string, number>>} counts
 * @returns {string} 'waiting 3, dead 1', the most first.
 */
export function partsText(counts) {
  return Object.entries(counts)
    .filter(([, count]) => count > 0)
    .sort(([, one], [, other]) => other - one)
    .map(([name, count]) => `${name} ${numbers.format(count)}`)
    .join(', ');
}

/**
 * The one line that answers whether everyone is served: of a run for some it says so, and is no good news.
 * @param {import('./model.js').Today} today
 * @returns {{ text: string, tone: '' | 'good' | 'warn' | 'bad' }}
 */
export function verdictText({ verdict, served, total, run }) {
  const isForSome = run !== null && !run.isForEveryone;
  const asked = isForSome ? ` asked for ${total === 1 ? 'is' : 'are'}` : '';
  const share = `${numbers.format(served)} of ${numbers.format(total)}${asked} served`;
  const others = isForSome ? '; no run for everyone yet' : '';
  switch (verdict) {
    case 'served':
      if (isForSome) return { text: `${share}${others}`, tone: 'warn' };
      return {
        text: total === 0 ? 'The run asked for nobody' : `Everyone is served: ${share}`,
        tone: 'good',
      };
    case 'running':
      return { text: `${share}, the run goes on${others}`, tone: isForSome ? 'warn' : '' };
    case 'incomplete':
      return {
        text: `${share}, ${numbers.format(total - served)} are missing${others}`,
        tone: 'bad',
      };
    case 'none':
      return { text: 'No run yet today', tone: 'warn' };
    default:
      return { text: 'Not known: the database has not answered yet', tone: 'bad' };
  }
}
