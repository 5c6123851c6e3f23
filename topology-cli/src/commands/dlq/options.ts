/** The desk's options, read and checked. */
import type { KindDeclaration } from '@fit/topology';
import { DEATH_CAUSES } from '@fit/topology';
import { type Context, numberOf, textOf, UsageError } from '../../command.ts';
import { type LetterFilter, parseMoment } from '../../dead-letters/letterFilter.ts';
import { DEFAULT_HOLD_LIMIT } from '../../dead-letters/readBox.ts';

/** @throws UsageError naming the value and what it may be. */
export function filterOf(context: Context): LetterFilter {
  return {
    cause: oneOf(context, 'cause', DEATH_CAUSES),
    errorClass: textOf(context, 'class'),
    since: momentOf(context, 'since'),
    until: momentOf(context, 'until'),
    id: textOf(context, 'id'),
    headers: headersOf(context),
  };
}

/** @returns the kinds that are meant: one, or all. @throws UsageError */
export function kindsOf(context: Context): readonly KindDeclaration[] {
  const { kinds } = context.declaration;
  const kind = oneOf(
    context,
    'kind',
    kinds.map((one) => one.kind),
  );
  return kinds.filter((one) => kind === undefined || one.kind === kind);
}

/** @returns one of the choices, or undefined where the option is not given. @throws UsageError */
export function oneOf<Choice extends string>(
  context: Context,
  name: string,
  choices: readonly Choice[],
): Choice | undefined {
  const text = textOf(context, name);
  if (text === undefined) return undefined;
  const choice = choices.find((known) => known === text);
  if (choice !== undefined) return choice;
  throw new UsageError(`--${name} '${text}' is none of ${choices.join(', ')}`);
}

/** @returns a whole number, or the default. @throws UsageError */
export function countOption(context: Context, name: string, fallback: number): number {
  const count = numberOf(context, name, { min: 1, max: 1_000_000_000 });
  if (count === undefined) return fallback;
  if (Number.isInteger(count)) return count;
  throw new UsageError(`--${name} '${count}' must be a whole number`);
}

/** Letters to take at most; infinite where the option is not given. */
export function limitOf(context: Context): number {
  return countOption(context, 'limit', Infinity);
}

/** Letters held at a time. */
export function holdLimitOf(context: Context): number {
  return countOption(context, 'look', DEFAULT_HOLD_LIMIT);
}

/** @returns letters per second: '20' or '20/s'. @throws UsageError */
export function rateOf(context: Context): number | undefined {
  const text = textOf(context, 'rate');
  if (text === undefined) return undefined;
  const rate = /^(\d+(?:\.\d+)?)(?:\/s)?$/.exec(text)?.[1];
  if (rate !== undefined && Number(rate) > 0) return Number(rate);
  throw new UsageError(`--rate '${text}' must be letters per second, such as 20 or 0.5/s`);
}

/** @returns the one word that must follow the subcommand. @throws UsageError */
export function wordOf(context: Context, what: string): string {
  const [word, ...more] = context.words;
  if (word !== undefined && word !== '' && more.length === 0) return word;
  throw new UsageError(
    word ? `'${more.join(' ')}' is too much: one ${what}` : `give ${what} after the subcommand`,
  );
}

/** @throws UsageError where a word follows that nobody reads. */
export function refuseWords(context: Context): void {
  if (context.words.length > 0)
    throw new UsageError(`'${context.words.join(' ')}' is not understood; options begin with --`);
}

function momentOf(context: Context, name: string): Date | undefined {
  const text = textOf(context, name);
  if (text === undefined) return undefined;
  const moment = parseMoment(text, new Date());
  if (moment !== undefined) return moment;
  throw new UsageError(
    `--${name} '${text}' must be a time such as 2026-01-31T12:00:00Z, or a span such as 2h or 7d`,
  );
}

function headersOf(context: Context): [string, string][] {
  const texts = context.values['header'];
  if (!Array.isArray(texts)) return [];
  return texts.map((text: string) => {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (name !== undefined && value !== undefined) return [name, value];
    throw new UsageError(`--header '${text}' must be name=value`);
  });
}
