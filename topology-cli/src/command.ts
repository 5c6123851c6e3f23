/** What a subcommand of `topology` is, what it is called with, and how it reads its options. */
import type { ParseArgsConfig } from 'node:util';
import {
  compareVersions,
  type Declaration,
  parseDurationMs,
  planTopology,
  provePlan,
  type TopologyPlan,
} from '@fit/topology';
import { vhostOf } from '@fit/topology/amqp';
import { ManagementApi } from '@fit/topology/management';

export type CommandOptions = NonNullable<ParseArgsConfig['options']>;

/** Exit code if the broker or a file differs, or if a part of the work is left. 0 is success, 1 an error. */
export const EXIT_DIFFERENT = 2;

export interface Command {
  readonly name: string;
  /** One line for the overview. */
  readonly summary: string;
  /** What `--help` shows; begins with the call. */
  readonly usage: string;
  readonly options: CommandOptions;
  /**
   * @returns the exit code: 0 or `EXIT_DIFFERENT`.
   * @throws UsageError, TopologyError, or an error of the broker; the program then ends with 1.
   */
  readonly run: (context: CommandContext) => Promise<number>;
}

export interface CommandContext {
  readonly declaration: Declaration;
  readonly amqpUrl: string;
  /** With or without credentials; undefined if there is no management API. */
  readonly managementUrl: string | undefined;
  /** True: `print` is called once, with one JSON document. */
  readonly isJson: boolean;
  /** The command's own options, by their long names. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Arguments after the command's name that are not options. */
  readonly positionals: readonly string[];
  /** Writes the result to standard output. */
  readonly print: (text: string) => void;
  /** Writes progress to standard error, so that standard output holds the result alone. */
  readonly log: (line: string) => void;
}

/** The command line is wrong; the message says which part, and what would be right. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** @returns the option's value; undefined if it is not given. */
export function textOption({ options }: CommandContext, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

/** @returns undefined if the option is not given. @throws UsageError if the value is not a number within the bounds. */
export function numberOption(
  context: CommandContext,
  name: string,
  bounds: { readonly min: number; readonly max: number },
): number | undefined {
  const text = textOption(context, name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() !== '' && value >= bounds.min && value <= bounds.max) return value;
  throw new UsageError(`--${name} '${text}' must be a number from ${bounds.min} to ${bounds.max}`);
}

/** @returns milliseconds; undefined if the option is not given. @throws UsageError if the value is not a duration. */
export function durationOptionMs(context: CommandContext, name: string): number | undefined {
  const text = textOption(context, name);
  if (text === undefined) return undefined;
  const durationMs = parseDurationMs(text);
  if (durationMs !== undefined) return durationMs;
  throw new UsageError(`--${name} '${text}' must be a duration such as 90s or 10m`);
}

/** @returns undefined if the option is not given. @throws UsageError if the value is not one of the choices. */
export function choiceOption<Choice extends string>(
  context: CommandContext,
  name: string,
  choices: readonly Choice[],
): Choice | undefined {
  const text = textOption(context, name);
  if (text === undefined) return undefined;
  const choice = choices.find((known) => known === text);
  if (choice !== undefined) return choice;
  throw new UsageError(`--${name} '${text}' is none of ${choices.join(', ')}`);
}

/** @returns the kind named by `--kind`; undefined if it is not given. @throws UsageError for a kind that is not declared. */
export function kindOption(context: CommandContext): string | undefined {
  return choiceOption(
    context,
    'kind',
    context.declaration.kinds.map(({ kind }) => kind),
  );
}

/** @throws UsageError if the command line has arguments that the command does not take. */
export function refusePositionals({ positionals }: CommandContext): void {
  if (positionals.length > 0)
    throw new UsageError(`'${positionals.join(' ')}' is unexpected; options begin with --`);
}

/** @throws UsageError if no management API is named. */
export function requireManagementApi(
  { managementUrl, amqpUrl }: CommandContext,
  command: string,
): ManagementApi {
  if (managementUrl !== undefined) return new ManagementApi(managementUrl, vhostOf(amqpUrl));
  throw new UsageError(
    `${command} needs the management API: give --management-url http://user:password@host:15672`,
  );
}

/** Version that is planned for if no broker is asked or none answers. */
export const DEFAULT_BROKER_VERSION = '4.3.6';
const OLDEST_BROKER_VERSION = '3.10.0';

/** Options of the commands that plan without a broker. */
export const OFFLINE_PLAN_OPTIONS = { 'broker-version': { type: 'string' } } as const;

export const OFFLINE_PLAN_USAGE = `  --broker-version V     RabbitMQ version to plan for (default ${DEFAULT_BROKER_VERSION}); no broker is asked`;

/**
 * Plans for `--broker-version`, with limits as policies as where a management API is available.
 * @throws UsageError for an invalid version; TopologyError `PLAN_REFUSED`.
 */
export function planOffline(context: CommandContext): TopologyPlan {
  const version = textOption(context, 'broker-version') ?? DEFAULT_BROKER_VERSION;
  const isValid = /^\d+\.\d+\.\d+$/.test(version);
  if (!isValid || compareVersions(version, OLDEST_BROKER_VERSION) < 0)
    throw new UsageError(
      `--broker-version '${version}' must be ${OLDEST_BROKER_VERSION} or newer, such as ${DEFAULT_BROKER_VERSION}`,
    );
  const plan = planTopology(context.declaration, { version, hasManagement: true });
  provePlan(context.declaration, plan);
  return plan;
}

/** @returns rows with aligned columns. */
export function alignedRows(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
