/** The words of the command line → which command, with what. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type { Declaration } from '@fit/topology';
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
  --json                 one JSON document on standard output, also for an error: {"error": {code, message,
                         faults}}; progress goes to standard error
  --help                 this text

Exit code 0: same or done. 2: different or not wholly done. 1: error.`;

export interface Call {
  /** Undefined: show the overview. */
  readonly command: Command | undefined;
  readonly isHelp: boolean;
  readonly isJson: boolean;
  readonly declarationPath: string | undefined;
  /** As asked for by option or environment. */
  readonly amqpUrl: NamedUrl | undefined;
  readonly managementUrl: NamedUrl | undefined;
  readonly values: Readonly<Record<string, unknown>>;
  readonly words: readonly string[];
}

/** A URL, and the option or variable that it comes from. */
interface NamedUrl {
  readonly name: string;
  readonly url: string;
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
    amqpUrl: namedUrl('--amqp-url', values['amqp-url']) ?? namedUrl('AMQP_URL', env['AMQP_URL']),
    managementUrl:
      namedUrl('--management-url', values['management-url']) ??
      namedUrl('AMQP_MANAGEMENT_URL', env['AMQP_MANAGEMENT_URL']),
    values,
    words: positionals.slice(1),
  };
}

/** A declaration, and the broker that its owner usually means. */
export interface DeclarationModule {
  readonly declaration: Declaration;
  readonly amqpUrl: NamedUrl;
  readonly managementUrl: NamedUrl | undefined;
}

/**
 * Options before environment before the module.
 * @throws UsageError naming the option, variable or export that holds no such URL; a password in it is not repeated.
 */
export function brokerUrls(
  call: Call,
  module: DeclarationModule,
): { readonly amqpUrl: string; readonly managementUrl: string | undefined } {
  const amqp = call.amqpUrl ?? module.amqpUrl;
  // Another broker than the module's has another management API.
  const management =
    call.managementUrl ?? (call.amqpUrl === undefined ? module.managementUrl : undefined);
  checkUrl(amqp, ['amqp:', 'amqps:'], 'amqp://user:password@host:5672/vhost');
  if (management !== undefined)
    checkUrl(management, ['http:', 'https:'], 'http://user:password@host:15672');
  return { amqpUrl: amqp.url, managementUrl: management?.url };
}

function checkUrl({ name, url }: NamedUrl, protocols: readonly string[], example: string): void {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed !== undefined && protocols.includes(parsed.protocol) && parsed.host !== '') return;
  // The user may have forgotten the scheme, and a password may hold an @: whatever stands before the last one is hidden.
  const shown = url.replace(/^([a-z][a-z\d+.-]*:\/\/)?.*@/is, '$1…@');
  throw new UsageError(`${name} '${shown}' is no such URL as ${example}`);
}

/**
 * @throws UsageError where no file is named, it cannot be loaded, or it exports no declaration; what `declareTopology`
 * refuses in it is thrown as it is.
 */
export async function loadDeclaration(path: string | undefined): Promise<DeclarationModule> {
  if (path === undefined) throw new UsageError('give --declaration FILE');
  const module = await importModule(path);
  const declaration = module['default'];
  if (typeof declaration !== 'object' || declaration === null || !('kinds' in declaration))
    throw new UsageError(`--declaration ${path}: its default export is no declaration`);
  return {
    declaration: declaration as Declaration,
    amqpUrl: namedUrl(`amqpUrl of ${path}`, module['amqpUrl']) ?? {
      name: 'the default broker',
      url: 'amqp://guest:guest@127.0.0.1:5672',
    },
    managementUrl: namedUrl(`managementUrl of ${path}`, module['managementUrl']),
  };
}

async function importModule(path: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(resolve(path)).href)) as Record<string, unknown>;
  } catch (error) {
    if (error instanceof Error && error.name === 'TopologyError') throw error;
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    throw new UsageError(`--declaration ${path} cannot be loaded: ${reason}`, { cause: error });
  }
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

/** Empty is not given. */
function namedUrl(name: string, value: unknown): NamedUrl | undefined {
  const url = textIn(value);
  return url === undefined ? undefined : { name, url };
}
