/** The options of `topology dlq`, read and checked. */
import { DEATH_CAUSES, type KindDeclaration } from '@fit/topology';
import {
  type CommandContext,
  choiceOption,
  kindOption,
  numberOption,
  textOption,
  UsageError,
} from '../../command.ts';
import { DEFAULT_READ_LIMIT } from '../../dead-letters/browseDeadLetters.ts';
import { type DeadLetterFilter, parseTimeOrAge } from '../../dead-letters/deadLetterFilter.ts';

/** @throws UsageError naming the value and what it may be. */
export function filterOption(context: CommandContext): DeadLetterFilter {
  return {
    cause: choiceOption(context, 'cause', DEATH_CAUSES),
    errorClass: textOption(context, 'class'),
    since: timeOption(context, 'since'),
    until: timeOption(context, 'until'),
    id: textOption(context, 'id'),
    headers: headerOptions(context),
  };
}

/** @returns the kind of `--kind`, else all kinds. @throws UsageError */
export function chosenKinds(context: CommandContext): readonly KindDeclaration[] {
  const name = kindOption(context);
  return context.declaration.kinds.filter(({ kind }) => name === undefined || kind === name);
}

/** @returns a whole number, at least 1; `fallback` if the option is not given. @throws UsageError */
export function countOption(context: CommandContext, name: string, fallback: number): number {
  const count = numberOption(context, name, { min: 1, max: 1_000_000_000 });
  if (count === undefined) return fallback;
  if (Number.isInteger(count)) return count;
  throw new UsageError(`--${name} '${count}' must be a whole number`);
}

/** @returns dead letters to list or replay at most; Infinity if the option is not given. */
export function limitOption(context: CommandContext): number {
  return countOption(context, 'limit', Infinity);
}

/** @returns dead letters held at a time. */
export function readLimitOption(context: CommandContext): number {
  return countOption(context, 'read-limit', DEFAULT_READ_LIMIT);
}

/** @returns messages per second, written as '20' or '20/s'. @throws UsageError */
export function rateOption(context: CommandContext): number | undefined {
  const text = textOption(context, 'rate');
  if (text === undefined) return undefined;
  const rate = /^(\d+(?:\.\d+)?)(?:\/s)?$/.exec(text)?.[1];
  if (rate !== undefined && Number(rate) > 0) return Number(rate);
  throw new UsageError(`--rate '${text}' must be messages per second, such as 20 or 0.5/s`);
}

function timeOption(context: CommandContext, name: string): Date | undefined {
  const text = textOption(context, name);
  if (text === undefined) return undefined;
  const time = parseTimeOrAge(text, new Date());
  if (time !== undefined) return time;
  throw new UsageError(
    `--${name} '${text}' must be a time such as 2026-01-31T12:00:00Z, or an age such as 2h or 7d`,
  );
}

function headerOptions({ options }: CommandContext): [string, string][] {
  const texts = options['header'];
  if (!Array.isArray(texts)) return [];
  return texts.map((text: string) => {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (name !== undefined && value !== undefined) return [name, value];
    throw new UsageError(`--header '${text}' must be name=value`);
  });
}
