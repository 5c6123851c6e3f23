/**
 * `npm run conformance`: the topology's tests on several versions of RabbitMQ, one after the other, each with servers of
 * its own. Exit code 0: all passed; 1: not; 2: a wrong option.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { isOptionError } from '../process/stopOnSignal.ts';
import { BROKER_SUITES, type BrokerSuite, brokerSuiteOf } from '../root/rootFolders.ts';

const USAGE = `npm run conformance -- [--broker-suite SUITE|all] [--only GLOB]

  --broker-suite   bookworm (RabbitMQ 3.10), trixie (4.0), sid (4.3), or all (default)
  --only           test files; default: every topology test that needs a broker

The first run of a suite downloads its broker. Exit code 0: all passed; 1: not; 2: a wrong option.`;

const FILES =
  '{topology,topology-cli}/test/{assert,broker,conformance,connect,apply,dead-letters,management,simulate,verify,work}/**/*.test.ts';

interface SuiteResult {
  readonly suite: BrokerSuite;
  /** As the broker reports it; `?` if the servers did not start. */
  readonly version: string;
  readonly hasPassed: boolean;
  readonly passed: string;
  readonly failed: string;
  readonly seconds: number;
}

try {
  const { values } = parseArgs({
    options: {
      'broker-suite': { type: 'string', default: 'all' },
      only: { type: 'string', default: FILES },
      help: { type: 'boolean', default: false },
    },
  });
  const word = values['broker-suite'];
  const suites = (word === 'all' ? BROKER_SUITES : [brokerSuiteOf(word)]).filter(
    (suite) => suite !== undefined,
  );
  if (values.help) console.log(USAGE);
  else if (suites.length === 0) {
    console.error(`--broker-suite '${word}' is none of ${BROKER_SUITES.join(', ')}, all`);
    process.exitCode = 2;
  } else process.exitCode = await runSuites(suites, values.only);
} catch (error) {
  console.error(isOptionError(error) ? `${error.message}\n\n${USAGE}` : error);
  process.exitCode = isOptionError(error) ? 2 : 1;
}

/** @returns the exit code. */
async function runSuites(suites: readonly BrokerSuite[], only: string): Promise<number> {
  const results: SuiteResult[] = [];
  for (const suite of suites) results.push(await runSuite(suite, only));
  console.log('\n| suite | RabbitMQ | passed | failed | seconds |\n|---|---|---|---|---|');
  for (const { suite, version, passed, failed, seconds } of results)
    console.log(`| ${suite} | ${version} | ${passed} | ${failed} | ${seconds} |`);
  return results.every(({ hasPassed }) => hasPassed) ? 0 : 1;
}

async function runSuite(suite: BrokerSuite, only: string): Promise<SuiteResult> {
  const script = join(import.meta.dirname, 'runTests.ts');
  const words = [script, '--broker-suite', suite, '--only', only];
  const { exitCode, stdout, durationMs } = await execa(process.execPath, words, {
    stdin: 'ignore',
    stdout: ['pipe', 'inherit'],
    stderr: 'inherit',
    reject: false,
  });
  const find = (pattern: RegExp): string => pattern.exec(stdout)?.[1] ?? '?';
  return {
    suite,
    version: find(/^RabbitMQ (\S+) at /m),
    hasPassed: exitCode === 0,
    passed: find(/^ℹ pass (\d+)$/m),
    failed: find(/^ℹ fail (\d+)$/m),
    seconds: Math.round(durationMs / 1_000),
  };
}
