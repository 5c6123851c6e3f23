/** Numbers and states as short texts. No I/O. */

const numbers = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 1 });

/** @param {number | null} count */
export function countText(count) {
  return count === null ? 'not known' : numbers.format(count);
}

/**
 * @param {number | null} seconds
 * @returns {string} the two largest units, such as '45 s', '3 min 20 s', '2 h 5 min', '4 d 1 h'.
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
 * Rounds down, so that 99.96 % does not show as everyone.
 * @param {number} ratio
 */
export function percentText(ratio) {
  return `${numbers.format(Math.floor(ratio * 1_000) / 10)} %`;
}

/**
 * @param {number | null} value
 * @param {(value: number) => string} format
 * @returns {string | false} false if the value is not known.
 */
export function ifKnown(value, format) {
  return value !== null && format(value);
}

/** @param {number | null} perSecond */
export function rateText(perSecond) {
  return perSecond === null ? 'not known' : `${numbers.format(perSecond)}/s`;
}

/**
 * @param {Readonly<Record<string, number>>} counts
 * @returns {string} such as 'waiting 3, dead 1', largest count first.
 */
export function partsText(counts) {
  return Object.entries(counts)
    .filter(([, count]) => count > 0)
    .sort(([, one], [, other]) => other - one)
    .map(([name, count]) => `${name} ${numbers.format(count)}`)
    .join(', ');
}

/**
 * The line that says whether everyone is served. For a run for some users it contains that, and never has the tone `good`.
 * @param {import('./model.js').Today} today
 * @returns {{ text: string, tone: '' | 'good' | 'warn' | 'bad' }}
 */
export function verdictText(today) {
  const { text, tone } = runText(today);
  if (!isForSome(today)) return { text, tone };
  return { text: `${text}; no run for everyone yet`, tone: tone === 'bad' ? 'bad' : 'warn' };
}

/**
 * @param {import('./model.js').Today} today
 * @returns {ReturnType<typeof verdictText>}
 */
function runText(today) {
  const { verdict, served, total, run } = today;
  const share = shareText(today);
  switch (verdict) {
    case 'served':
      if (total === 0) return { text: 'The run asked for nobody', tone: 'good' };
      return { text: isForSome(today) ? share : `Everyone is served: ${share}`, tone: 'good' };
    case 'running':
      return run?.state === 'accepting'
        ? { text: `${share}, ${recordedText(run)}`, tone: '' }
        : { text: `${share}, the run goes on`, tone: '' };
    case 'incomplete':
      return { text: `${share}, ${numbers.format(total - served)} are missing`, tone: 'bad' };
    case 'none':
      return { text: 'No run yet today', tone: 'warn' };
    default:
      return { text: 'Not known: the database has not answered yet', tone: 'bad' };
  }
}

/** @param {import('./model.js').Today} today */
function shareText(today) {
  const { served, total } = today;
  const asked = total === 1 ? ' asked for is' : ' asked for are';
  return `${numbers.format(served)} of ${numbers.format(total)}${isForSome(today) ? asked : ''} served`;
}

/**
 * The users may not be counted yet, and a user who joins meanwhile makes the count inexact.
 * @param {import('./model.js').Run} run
 */
function recordedText({ expanded, total }) {
  const of = total === undefined ? '' : ` of ${numbers.format(Math.max(total, expanded))}`;
  return `${numbers.format(expanded)}${of} recorded so far`;
}

/** @param {import('./model.js').Today} today */
function isForSome({ run }) {
  return run !== null && !run.isForEveryone;
}
