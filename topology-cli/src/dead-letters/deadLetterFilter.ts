/** Chooses dead letters. Every given condition must hold; an empty filter matches all. */
import { type DeathCause, parseDurationMs } from '@fit/topology';
import type { ParsedDeadLetter } from './parsedDeadLetter.ts';

/** Conditions; one that is undefined is not checked. */
export interface DeadLetterFilter {
  readonly cause?: DeathCause | undefined;
  readonly errorClass?: string | undefined;
  /** Earliest time of death, inclusive. A dead letter without a time matches no time span. */
  readonly since?: Date | undefined;
  /** Latest time of death, inclusive. */
  readonly until?: Date | undefined;
  readonly id?: string | undefined;
  /** Header values are compared as text. */
  readonly headers?: readonly (readonly [name: string, value: string])[] | undefined;
}

export function matchesFilter(deadLetter: ParsedDeadLetter, filter: DeadLetterFilter): boolean {
  return (
    (filter.cause === undefined || filter.cause === deadLetter.cause) &&
    (filter.errorClass === undefined || filter.errorClass === deadLetter.errorClass) &&
    (filter.id === undefined || filter.id === deadLetter.id) &&
    isInTimeSpan(deadLetter.diedAt, filter) &&
    (filter.headers ?? []).every(([name, value]) => textOf(deadLetter.headers[name]) === value)
  );
}

/**
 * @param text an ISO time, or an age such as '2h' or '7d', which is subtracted from `now`.
 * @returns undefined if the text is neither.
 */
export function parseTimeOrAge(text: string, now: Date): Date | undefined {
  const days = /^(\d+(?:\.\d+)?)d$/.exec(text.trim());
  const ageMs = days === null ? parseDurationMs(text) : Number(days[1]) * 86_400_000;
  if (ageMs !== undefined) return new Date(now.getTime() - ageMs);
  const date = new Date(text);
  return Number.isNaN(date.getTime()) || !/^\d{4}-/.test(text.trim()) ? undefined : date;
}

function isInTimeSpan(time: Date | undefined, { since, until }: DeadLetterFilter): boolean {
  if (since === undefined && until === undefined) return true;
  if (time === undefined) return false;
  return (since === undefined || time >= since) && (until === undefined || time <= until);
}

function textOf(value: unknown): string | undefined {
  return ['string', 'number', 'boolean'].includes(typeof value) ? String(value) : undefined;
}
