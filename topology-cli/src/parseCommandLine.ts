/** Parses the command line and the environment, and loads the declaration that they name. */
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

/** Shown under the usage of every command. */
export const GLOBAL_USAGE = `  --declaration FILE     module whose default export is the topology; it may export amqpUrl and managementUrl, too
  --amqp-url URL         broker (default: AMQP_URL, else amqpUrl of the module, else guest at 127.0.0.1:5672)
  --management-url URL   management API of the broker (default: AMQP_MANAGEMENT_URL, else managementUrl of the module,
                         unless another broker is named)
  --json                 one JSON document on standard output, also for an error: {"error": {code, message, faults}};
                         progress goes to standard error
  --help                 this text

Exit code 0: success, nothing differs. 2: something differs or is left to do. 1: error.`;

export interface CommandLine {
  /** Undefined: show the overview. */
  readonly command: Command | undefined;
  readonly isHelp: boolean;
  readonly isJson: boolean;
  readonly declarationPath: string | undefined;
  /** From an option or the environment; undefined if neither is given. */
  readonly amqpUrl: NamedUrl | undefined;
  readonly managementUrl: NamedUrl | undefined;
  readonly options: Readonly<Record<string, unknown>>;
  readonly positionals: readonly string[];
}

/** A URL, and the option, variable or export that it comes from. */
interface NamedUrl {
  readonly name: string;
  readonly url: string;
}

/** @throws UsageError naming the argument that is wrong. */
export function parseCommandLine(
  args: readonly string[],
  commands: readonly Command[],
  env: Readonly<Record<string, string | undefined>>,
): CommandLine {
  const command = findCommand(args, commands);
  const { values, positionals } = parseStrictly(args, command);
  return {
    command,
    isHelp: values['help'] === true,
    isJson: values['json'] === true,
    declarationPath: nonEmptyText(values['declaration']),
    amqpUrl: namedUrl('--amqp-url', values['amqp-url']) ?? namedUrl('AMQP_URL', env['AMQP_URL']),
    managementUrl:
      namedUrl('--management-url', values['management-url']) ??
      namedUrl('AMQP_MANAGEMENT_URL', env['AMQP_MANAGEMENT_URL']),
    options: values,
    positionals: positionals.slice(1),
  };
}

export interface DeclarationModule {
  readonly declaration: Declaration;
  readonly amqpUrl: NamedUrl;
  readonly managementUrl: NamedUrl | undefined;
}

/**
 * An option takes precedence over the environment, and the environment over the module.
 * @throws UsageError naming the option, variable or export whose URL is invalid, without the password in it.
 */
export function brokerUrls(
  { amqpUrl, managementUrl }: Pick<CommandLine, 'amqpUrl' | 'managementUrl'>,
  module: DeclarationModule,
): { readonly amqpUrl: string; readonly managementUrl: string | undefined } {
  const amqp = amqpUrl ?? module.amqpUrl;
  // The module's management API belongs to the module's broker, not to another one.
  const management = managementUrl ?? (amqpUrl === undefined ? module.managementUrl : undefined);
  checkUrl(amqp, ['amqp:', 'amqps:'], 'amqp://user:password@host:5672/vhost');
  if (management !== undefined)
    checkUrl(management, ['http:', 'https:'], 'http://user:password@host:15672');
  return { amqpUrl: amqp.url, managementUrl: management?.url };
}

/**
 * The default export is a topology of `defineTopology`, or a declaration of `declareTopology`.
 * @throws UsageError if no file is named, it cannot be loaded, or it exports neither; TopologyError `DECLARATION_INVALID`
 * or `PLAN_REFUSED` as `defineTopology` throws it.
 */
export async function loadDeclaration(path: string | undefined): Promise<DeclarationModule> {
  if (path === undefined) throw new UsageError('give --declaration FILE');
  const module = await importModule(path);
  const declaration = declarationOf(module['default']);
  if (declaration === undefined)
    throw new UsageError(
      `--declaration ${path}: its default export is neither a topology nor a declaration`,
    );
  return {
    declaration,
    amqpUrl: namedUrl(`amqpUrl of ${path}`, module['amqpUrl']) ?? {
      name: 'the default broker',
      url: 'amqp://guest:guest@127.0.0.1:5672',
    },
    managementUrl: namedUrl(`managementUrl of ${path}`, module['managementUrl']),
  };
}

/** @returns the declaration of a topology, or the declaration itself; undefined for anything else. */
function declarationOf(exported: unknown): Declaration | undefined {
  const fields = Object(exported) as { declaration?: unknown; kinds?: unknown };
  if (fields.declaration !== undefined) return declarationOf(fields.declaration);
  return fields.kinds === undefined ? undefined : (exported as Declaration);
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

/** Parses leniently: an unknown option is reported later, when the options of the command are known. */
function findCommand(args: readonly string[], commands: readonly Command[]): Command | undefined {
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

function parseStrictly(
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

function checkUrl({ name, url }: NamedUrl, protocols: readonly string[], example: string): void {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed !== undefined && protocols.includes(parsed.protocol) && parsed.host !== '') return;
  // The scheme may be missing, and a password may contain @, so everything before the last @ is hidden.
  const shown = url.replace(/^([a-z][a-z\d+.-]*:\/\/)?.*@/is, '$1…@');
  throw new UsageError(`${name} '${shown}' is not a URL such as ${example}`);
}

/** An empty URL counts as not given. */
function namedUrl(name: string, value: unknown): NamedUrl | undefined {
  const url = nonEmptyText(value);
  return url === undefined ? undefined : { name, url };
}

function nonEmptyText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
