/** Letters as text for a terminal. What a sender wrote must not steer it. */
import type { LetterGroup } from '../../dead-letters/letterGroups.ts';

/** C0, C1 and what turns the reading direction: escape sequences begin with one of them. */
// biome-ignore lint: these are the characters that are meant.

const CONTROL = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** @returns one line, without control characters, cut at the limit. */
export function plain(text: string, limitChars = 120): string {
  const cut = text.length > limitChars ? `${text.slice(0, limitChars - 1)}…` : text;
  return cut.replaceAll(CONTROL, escaped);
}

/** @returns the text with its lines and tabs, without other control characters. */
export function plainLines(text: string): string {
  return text.replaceAll(CONTROL, (sign) =>
    sign === '\n' || sign === '\t' ? sign : escaped(sign),
  );
}

/** Two lines per group; the second tells where to look further. */
export function groupLines(groups: readonly LetterGroup[]): string[] {
  return groups.flatMap((group) => [
    `${String(group.count).padStart(7)}  ${group.cause.padEnd(10)}  ${group.fingerprint}  ${whatOf(group)}`,
    `         ${spanOf(group)}  key ${group.keys.map((key) => plain(key, 60)).join(', ')}  e.g. ${group.exampleIds.map((id) => plain(id, 60)).join(', ')}`,
  ]);
}

function whatOf({ errorClass, message, cause }: LetterGroup): string {
  if (errorClass === cause && message === cause) return '';
  return `${plain(errorClass, 40)}: ${plain(message)}`;
}

function spanOf({ firstAt, lastAt }: LetterGroup): string {
  if (firstAt === undefined || lastAt === undefined) return 'at an unknown time';
  return firstAt === lastAt ? firstAt : `${firstAt} to ${lastAt}`;
}

function escaped(sign: string): string {
  return `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
