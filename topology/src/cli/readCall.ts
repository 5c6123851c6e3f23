/** The words of the command line → which command, with what. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type { Declaration } from '../declaration/declareTopology.ts';
import { type Command, type CommandOptions, UsageError } from './command.ts';

const GLOBAL_OPTIONS = {
  declaration: { type: 'string' },
  'amqp-url': { type: 'string' },
  'management-url': { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Under every usage text. */
export const GLOBAL_USAGE = `  --declaration FILE     module: its default export is the declaration; may export amqpUrl and managementUrl, too
  --amqp-url URL         broker (AMQP_URL; else the module's)
  --management-url URL   its management API (AMQP_MANAGEMENT_URL; else the module's, where the broker is)
  --json                 one JSON document on standard output; progress goes to standard error
  --help                 this text

Exit code 0: same or done. 2: different or not wholly done. 1: error.`;

export interface Call {
  /** Undefined: show the overview. */
  readonly command: Command | undefined;
  readonly isHelp: boolean;
  readonly isJson: boolean;
  readonly declarationPath: string | undefined;
  /** As asked for by option or environment. */
  readonly amqpUrl: string | undefined;
  readonly managementUrl: string | undefined;
  readonly values: Readonly<Record<string, unknown>>;
  readonly words: readonly string[];
}

/** @throws UsageError naming the word that is not understood. */
export function readCall(
  args: readonly string[],
  commands: readonly Command[],
  env: Readonly<Record<string, string | undefined>>,
): Call {
  const command = commandOf(args, commands);
  const { values, positionals } = parse(args, command);
  return {
    command,
    isHelp: values['help'] === true || command === undefined,
    isJson: values['json'] === true,
    declarationPath: textIn(values['declaration']),
    amqpUrl: textIn(values['amqp-url']) ?? textIn(env['AMQP_URL']),
    managementUrl: textIn(values['management-url']) ?? textIn(env['AMQP_MANAGEMENT_URL']),
    values,
    words: positionals.slice(1),
  };
}

/** A declaration, and the broker that its owner usually means. */
export interface DeclarationModule {
  readonly declaration: Declaration;
  readonly amqpUrl: string;
  readonly managementUrl: string | undefined;
}

/** @throws UsageError where no file is named or it exports no declaration. */
export async function loadDeclaration(path: string | undefined): Promise<DeclarationModule> {
  if (path === undefined) throw new UsageError('give --declaration FILE');
  const module = (await import(pathToFileURL(resolve(path)).href)) as Record<string, unknown>;
  const declaration = module['default'];
  if (typeof declaration !== 'object' || declaration === null || !('kinds' in declaration))
    throw new UsageError(`--declaration ${path}: its default export is no declaration`);
  return {
    declaration: declaration as Declaration,
    amqpUrl: textIn(module['amqpUrl']) ?? 'amqp://guest:guest@127.0.0.1:5672',
    managementUrl: textIn(module['managementUrl']),
  };
}

/** The first word that is no option and no option's value. Unknown options are told later, with the right usage. */
function commandOf(args: readonly string[], commands: readonly Command[]): Command | undefined {
  const { positionals } = parseArgs({
    args: [...args],
    options: GLOBAL_OPTIONS,
    allowPositionals: true,
    strict: false,
  });
  const [word] = positionals;
  if (word === undefined) return undefined;
  const command = commands.find(({ name }) => name === word);
  if (command !== undefined) return command;
  throw new UsageError(`'${word}' is none of ${commands.map(({ name }) => name).join(', ')}`);
}

function parse(
  args: readonly string[],
  command: Command | undefined,
): { values: Readonly<Record<string, unknown>>; positionals: readonly string[] } {
  try {
    const options: CommandOptions = { ...GLOBAL_OPTIONS, ...command?.options };
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function textIn(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
