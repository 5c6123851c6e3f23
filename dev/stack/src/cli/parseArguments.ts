/** The command line's words as a command. */
import { parseArgs } from 'node:util';
import { BROKER_SUITES, type BrokerSuite, brokerSuiteOf } from '../root/recipe.ts';
import { SERVICE_NAMES, type ServiceName } from '../service/serviceDefinition.ts';
import { StackError } from '../stackError.ts';

export const USAGE = `Usage: stack <command> [options]

  up       start all services and stay until Ctrl-C
             --detach               return when all services are ready
             --broker-suite SUITE   RabbitMQ of bookworm (3.10), trixie (4.0), sid (4.3, default)
  down     stop the services
             --purge                also delete their data
  status   show what runs
             --json                 as JSON
  logs     show the logs, of all services or of one: ${SERVICE_NAMES.join(', ')}
             --follow               go on until Ctrl-C

  --name NAME   which stack (default: main); its data is in .stack/NAME
  --help        this text

AMQP_URL and MONGODB_URL: use these servers, start none of that kind.
FIT_PORT_AMQP, FIT_PORT_MONGODB and so on move a port; FIT_STACK_CACHE moves the cache.`;

const VERBS = ['help', 'up', 'down', 'status', 'logs'] as const;

export interface Command {
  readonly verb: (typeof VERBS)[number];
  readonly name: string;
  readonly detach: boolean;
  readonly purge: boolean;
  readonly json: boolean;
  readonly follow: boolean;
  readonly brokerSuite: BrokerSuite;
  /** Only for `logs`; undefined means all. */
  readonly service: ServiceName | undefined;
}

/**
 * Reads the words after the program's name.
 * @throws StackError `COMMAND_FAILED` that says what is wrong, with the usage.
 */
export function parseArguments(words: readonly string[]): Command {
  const { values, positionals } = parse(words);
  const [word, serviceWord] = positionals;
  const verb = VERBS.find((known) => known === (word ?? 'help'));
  const service = SERVICE_NAMES.find((known) => known === serviceWord);
  const suite = values['broker-suite'] ?? 'sid';
  const brokerSuite = brokerSuiteOf(suite);
  const name = values.name ?? 'main';
  if (verb === undefined) throw misuse(`unknown command ${String(word)}`);
  if (brokerSuite === undefined)
    throw misuse(`--broker-suite is one of ${BROKER_SUITES.join(', ')}`);
  if (serviceWord !== undefined && service === undefined) throw misuse(`no service ${serviceWord}`);
  if (!isStackName(name)) throw misuse('--name: up to 40 of a-z, 0-9 and -');
  return {
    verb: values.help === true ? 'help' : verb,
    name,
    detach: values.detach === true,
    purge: values.purge === true,
    json: values.json === true,
    follow: values.follow === true,
    brokerSuite,
    service,
  };
}

function parse(words: readonly string[]): ReturnType<typeof parseKnown> {
  try {
    return parseKnown(words);
  } catch (error) {
    throw misuse(error instanceof Error ? error.message : String(error));
  }
}

function parseKnown(words: readonly string[]) {
  return parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      name: { type: 'string' },
      'broker-suite': { type: 'string' },
      detach: { type: 'boolean' },
      purge: { type: 'boolean' },
      json: { type: 'boolean' },
      follow: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
}

/** The name becomes a folder and part of the broker's node name. */
export function isStackName(text: string): boolean {
  return /^[a-z0-9][a-z0-9-]{0,39}$/.test(text);
}

function misuse(finding: string): StackError {
  return new StackError('COMMAND_FAILED', `${finding}\n\n${USAGE}`);
}
