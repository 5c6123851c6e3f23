/** A duration: '200ms', '5s', '2m', '1h', '1d', or a number of milliseconds. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * Reads a duration from text that somebody else wrote, such as a variable of the environment.
 * @returns the text without surrounding spaces, as a value that every option for a duration takes.
 * @throws TypeError if it is no duration.
 */
export function parseDuration(text: string): Duration {
  const trimmed = text.trim();
  if (parseDurationMs(trimmed) === undefined)
    throw new TypeError(`'${text}' is no duration; write one such as 200ms, 5s, 2m, 1h or 1d`);
  return trimmed as Duration;
}

/** @returns milliseconds, or undefined if the text is not a duration. */
export function parseDurationMs(duration: number | string): number | undefined {
  if (typeof duration === 'number') return duration;
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(duration.trim());
  const unitMs = UNIT_MS[match?.[2] ?? ''];
  return match?.[1] === undefined || unitMs === undefined ? undefined : Number(match[1]) * unitMs;
}

/** @returns the shortest exact spelling: 120000 → '2m', 1500 → '1500ms'. */
export function formatDuration(durationMs: number): `${number}${'ms' | 's' | 'm' | 'h'}` {
  for (const unit of ['h', 'm', 's'] as const) {
    const unitMs = UNIT_MS[unit] ?? 1;
    if (durationMs >= unitMs && durationMs % unitMs === 0) return `${durationMs / unitMs}${unit}`;
  }
  return `${durationMs}ms`;
}
