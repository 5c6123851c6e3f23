/** Dead letters as text for a terminal. Text of a sender must not control the terminal. */
import type { DeadLetterGroup } from '../../dead-letters/deadLetterGroups.ts';

/** C0, C1 and the characters that change the reading direction; escape sequences begin with one of them. */
// biome-ignore lint: the control characters are meant.
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** @returns one line without control characters, cut at the limit. */
export function singleLine(text: string, limitChars = 120): string {
  const cut = text.length > limitChars ? `${text.slice(0, limitChars - 1)}…` : text;
  return cut.replaceAll(CONTROL, escapeCharacter);
}

/** @returns the text with its line feeds and tabs, without other control characters. */
export function multiLine(text: string): string {
  return text.replaceAll(CONTROL, (character) =>
    character === '\n' || character === '\t' ? character : escapeCharacter(character),
  );
}

/** @returns two lines for each group; the second has its times, keys and example ids. */
export function groupLines(groups: readonly DeadLetterGroup[]): string[] {
  return groups.flatMap((group) => [
    `${String(group.count).padStart(7)}  ${group.cause.padEnd(10)}  ${group.fingerprint}  ${errorText(group)}${copyText(group)}`,
    `         ${timeSpanText(group)}  key ${group.keys.map((key) => singleLine(key, 60)).join(', ')}  e.g. ${group.exampleIds.map((id) => singleLine(id, 60)).join(', ')}`,
  ]);
}

function errorText({ errorClass, message, cause }: DeadLetterGroup): string {
  if (errorClass === cause && message === cause) return '';
  return `${singleLine(errorClass, 40)}: ${singleLine(message)}`;
}

function copyText({ copyCount }: DeadLetterGroup): string {
  if (copyCount === 0) return '';
  return ` (and ${copyCount} ${copyCount === 1 ? 'copy' : 'copies'})`;
}

function timeSpanText({ firstAt, lastAt }: DeadLetterGroup): string {
  if (firstAt === undefined || lastAt === undefined) return 'at an unknown time';
  return firstAt === lastAt ? firstAt : `${firstAt} to ${lastAt}`;
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
