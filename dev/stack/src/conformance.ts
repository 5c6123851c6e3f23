/**
 * `npm run conformance`: the topology's suite on other lines of RabbitMQ, each with servers of its own, one after the
 * other. Exit code 0 means that every lane passed.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { BROKER_SUITES, type BrokerSuite, brokerSuiteOf } from './root/recipe.ts';

const USAGE = `npm run conformance -- [--broker-suite SUITE|all] [--only GLOB]

  --broker-suite   bookworm (RabbitMQ 3.10), trixie (4.0), sid (4.3), or all (default)
  --only           some of the files; default: every topology test that needs a broker

The first run of a suite downloads its broker. Exit code 0: all passed. 1: not.`;

const FILES =
  '{topology,topology-cli}/test/{assert,broker,conformance,dead-letters,explain,live,management,verify,work}/**/*.test.ts';

interface Lane {
  readonly suite: BrokerSuite;
  /** As the broker said; `?` where it never did. */
  readonly version: string;
  readonly hasPassed: boolean;
  readonly passed: string;
  readonly failed: string;
  readonly seconds: number;
}

const { values } = parseArgs({
  options: {
    'broker-suite': { type: 'string', default: 'all' },
    only: { type: 'string', default: FILES },
    help: { type: 'boolean' },
  },
});
const word = values['broker-suite'];
const asked = word === 'all' ? BROKER_SUITES : [brokerSuiteOf(word)];
const suites = asked.filter((suite) => suite !== undefined);
if (values.help === true) console.log(USAGE);
else if (suites.length === 0) {
  console.error(`--broker-suite '${word}' is none of ${BROKER_SUITES.join(', ')}, all\n\n${USAGE}`);
  process.exitCode = 1;
} else {
  const lanes: Lane[] = [];
  for (const suite of suites) lanes.push(await runLane(suite, values.only));
  console.log('\n| lane | RabbitMQ | passed | failed | seconds |\n|---|---|---|---|---|');
  for (const { suite, version, passed, failed, seconds } of lanes)
    console.log(`| ${suite} | ${version} | ${passed} | ${failed} | ${seconds} |`);
  process.exitCode = lanes.every(({ hasPassed }) => hasPassed) ? 0 : 1;
}

async function runLane(suite: BrokerSuite, only: string): Promise<Lane> {
  const startedAt = performance.now();
  const script = join(import.meta.dirname, 'runTests.ts');
  const words = [script, '--broker-suite', suite, '--only', only];
  const lane = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  const output: string[] = [];
  lane.stdout.on('data', (text: Buffer) => {
    output.push(text.toString());
    process.stdout.write(text);
  });
  const [code] = (await once(lane, 'close')) as [number | null];
  const printed = output.join('');
  const found = (pattern: RegExp) => pattern.exec(printed)?.[1] ?? '?';
  return {
    suite,
    version: found(/^RabbitMQ (\S+) at /m),
    hasPassed: code === 0,
    passed: found(/^ℹ pass (\d+)$/m),
    failed: found(/^ℹ fail (\d+)$/m),
    seconds: Math.round((performance.now() - startedAt) / 1_000),
  };
}
