/** The words of `npm run stack`, checked. */
import { parseArgs } from 'node:util';
import { isStackName } from './launch/stackFolder.ts';
import { BROKER_SUITES, type BrokerSuite, brokerSuiteOf } from './root/rootFolders.ts';
import { DEFAULT_SERVER_NAMES, type ServerName } from './servers/serverDefinition.ts';
import { messageOf, StackError } from './stackError.ts';

export const USAGE = `npm run stack -- <command> [options]

  up       start all servers and keep them until Ctrl-C
             --broker-suite SUITE   RabbitMQ of bookworm (3.10), trixie (4.0), sid (4.3, default)
  down     stop the servers
             --purge                also delete their data
  status   show what runs; exit code 1 when the stack does not run
             --json                 as JSON
  logs     show the logs of all servers, or of one: ${DEFAULT_SERVER_NAMES.join(', ')}
             --follow               continue until Ctrl-C

  --name NAME   name of the stack (default: main); its data is in .stack/NAME
  --help        this text

AMQP_URL and MONGODB_URL: use these servers, start none of that kind.
FIT_PORT_AMQP, FIT_PORT_MONGODB and so on move a port; FIT_STACK_CACHE moves the cache.`;

const VERBS = ['help', 'up', 'down', 'status', 'logs'] as const;

export interface StackCommand {
  readonly verb: (typeof VERBS)[number];
  readonly name: string;
  readonly purge: boolean;
  readonly json: boolean;
  readonly follow: boolean;
  readonly brokerSuite: BrokerSuite;
  /** Only for `logs`; undefined means all. */
  readonly server: ServerName | undefined;
}

/**
 * @param words the words after the program's name.
 * @throws StackError `COMMAND_FAILED` that names the fault, with the usage.
 */
export function parseStackCommand(words: readonly string[]): StackCommand {
  const { values, positionals } = parse(words);
  const [word, serverWord] = positionals;
  const verb = VERBS.find((known) => known === (word ?? 'help'));
  const server = DEFAULT_SERVER_NAMES.find((known) => known === serverWord);
  const brokerSuite = brokerSuiteOf(values['broker-suite']);
  if (verb === undefined) throw misuse(`unknown command ${String(word)}`);
  if (brokerSuite === undefined)
    throw misuse(`--broker-suite is one of ${BROKER_SUITES.join(', ')}`);
  if (serverWord !== undefined && server === undefined) throw misuse(`no server ${serverWord}`);
  if (!isStackName(values.name)) throw misuse('--name: up to 40 of a-z, 0-9 and -');
  return {
    verb: values.help ? 'help' : verb,
    name: values.name,
    purge: values.purge,
    json: values.json,
    follow: values.follow,
    brokerSuite,
    server,
  };
}

function parse(words: readonly string[]) {
  try {
    return parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        name: { type: 'string', default: 'main' },
        'broker-suite': { type: 'string', default: 'sid' },
        purge: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        follow: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw misuse(messageOf(error));
  }
}

function misuse(finding: string): StackError {
  return new StackError('COMMAND_FAILED', `${finding}\n\n${USAGE}`);
}
