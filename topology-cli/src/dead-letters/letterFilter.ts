/** Which letters are meant. Everything given must hold; nothing given means all of them. */

import type { DeathCause } from '@fit/topology';
import { parseDurationMs } from '@fit/topology';
import type { Letter } from './letter.ts';

/** Which letters are meant; what is not given is not looked at. */
export interface LetterFilter {
  readonly cause?: DeathCause | undefined;
  readonly errorClass?: string | undefined;
  /** Inclusive. A letter that names no time of its death lies in no span. */
  readonly since?: Date | undefined;
  /** Inclusive. */
  readonly until?: Date | undefined;
  readonly id?: string | undefined;
  /** Compared as text. */
  readonly headers?: readonly (readonly [name: string, value: string])[] | undefined;
}

/** @returns true where everything that the filter gives holds of the letter. */
export function isMatch(letter: Letter, filter: LetterFilter): boolean {
  return (
    isEqual(filter.cause, letter.cause) &&
    isEqual(filter.errorClass, letter.errorClass) &&
    isEqual(filter.id, letter.id) &&
    isInSpan(letter.diedAt, filter) &&
    (filter.headers ?? []).every(([name, value]) => textOf(letter.headers[name]) === value)
  );
}

/**
 * @param text an ISO time, or a span such as '2h' or '7d' that ends now.
 * @returns undefined where it is neither.
 */
export function parseMoment(text: string, now: Date): Date | undefined {
  const days = /^(\d+(?:\.\d+)?)d$/.exec(text.trim());
  const spanMs = days === null ? parseDurationMs(text) : Number(days[1]) * 86_400_000;
  if (spanMs !== undefined) return new Date(now.getTime() - spanMs);
  const date = new Date(text);
  return Number.isNaN(date.getTime()) || !/^\d{4}-/.test(text.trim()) ? undefined : date;
}

function isEqual(wanted: string | undefined, actual: string): boolean {
  return wanted === undefined || wanted === actual;
}

function isInSpan(time: Date | undefined, { since, until }: LetterFilter): boolean {
  if (since === undefined && until === undefined) return true;
  if (time === undefined) return false;
  return (since === undefined || time >= since) && (until === undefined || time <= until);
}

function textOf(value: unknown): string | undefined {
  return ['string', 'number', 'boolean'].includes(typeof value) ? String(value) : undefined;
}
