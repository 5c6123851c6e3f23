/** What every subcommand of the topology's command line is, and what it is given. */
import type { ParseArgsConfig } from 'node:util';
import type { Declaration } from '@fit/topology';

export type CommandOptions = NonNullable<ParseArgsConfig['options']>;

export interface Context {
  readonly declaration: Declaration;
  readonly amqpUrl: string;
  /** With or without credentials; undefined where there is no management API. */
  readonly managementUrl: string | undefined;
  /** True: `print` exactly one JSON document. */
  readonly isJson: boolean;
  /** The command's own options, by their long names. */
  readonly values: Readonly<Record<string, unknown>>;
  /** The words after the command's name. */
  readonly words: readonly string[];
  /** The result, on standard output. */
  readonly print: (text: string) => void;
  /** Progress and remarks, on standard error, so that standard output stays one document. */
  readonly say: (line: string) => void;
}

export interface Command {
  readonly name: string;
  /** One line for the overview. */
  readonly summary: string;
  /** What `--help` shows; begins with the call. */
  readonly usage: string;
  readonly options: CommandOptions;
  /**
   * @returns the exit code: 0 same or done, 2 different or not wholly done. 1 belongs to errors, which are thrown.
   * @throws UsageError, TopologyError, or what went wrong with the broker.
   */
  readonly run: (context: Context) => Promise<number>;
}

/** The call was wrong; the message says how, and the usage follows it. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** @returns the option's text, or undefined where it was not given. */
export function textOf(context: Context, name: string): string | undefined {
  const value = context.values[name];
  return typeof value === 'string' ? value : undefined;
}

/** @throws UsageError where the text is no number inside the bounds. */
export function numberOf(
  context: Context,
  name: string,
  bounds: { readonly min: number; readonly max: number },
): number | undefined {
  const text = textOf(context, name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() !== '' && value >= bounds.min && value <= bounds.max) return value;
  throw new UsageError(`--${name} '${text}' must be a number from ${bounds.min} to ${bounds.max}`);
}
