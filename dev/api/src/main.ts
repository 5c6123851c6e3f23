/**
 * `npm run fuzz`: sends requests that are derived from the OpenAPI documents of both services, on native servers of its own, and
 * reports each reply that a document does not state.
 */
import { randomInt } from 'node:crypto';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { freePorts, startStack, startSystem } from '@fit/stack';
import { curlOf, type FuzzReport, fuzz } from './fuzz/fuzz.ts';
import { FUZZ_ENVIRONMENT, makeFuzzRecords } from './fuzz/fuzzRecords.ts';

const USAGE = `npm run fuzz -- [options]

  --requests <count>  default 5000; a tenth of them goes to the coach
  --seed <number>     repeats the requests of an earlier run; default random

Exit code 0: every reply was as stated, and each operation succeeded at least once; 1: not.`;

const FOLDER = resolve(import.meta.dirname, '../../../.stack', `fuzz-${process.pid}`);
/** So many faults are printed for each service; more are counted. */
const PRINTED_COUNT = 20;

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '5000' },
    seed: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) console.log(USAGE);
else
  process.exitCode = await run(Number(values.requests), Number(values.seed ?? randomInt(2 ** 31)));

/** @returns the exit code. */
async function run(requestCount: number, seed: number): Promise<number> {
  console.log(`${requestCount} requests, --seed ${seed}`);
  await using resources = new AsyncDisposableStack();
  const stack = await startStack({
    name: `fuzz-${process.pid}`,
    folder: FOLDER,
    ports: await freePorts(),
    servers: ['rabbitmq', 'gateway'],
    endsOnSignal: true,
  });
  resources.defer(() => stack.stop({ purge: true }));
  const { amqpUrl, managementUrl, mongodbUrl } = stack;
  const system = await startSystem({
    amqpUrl,
    managementUrl,
    mongodbUrl,
    folder: FOLDER,
    env: FUZZ_ENVIRONMENT,
  });
  resources.defer(() => system.stop());
  const records = await makeFuzzRecords({
    url: system.monolith.url,
    client: system.client,
    mongodbUrl,
  });
  resources.use(records);
  const coachCount = Math.ceil(requestCount / 10);
  const targets = [
    { service: system.monolith, requestCount: requestCount - coachCount },
    ...system.coaches.map((service) => ({ service, requestCount: coachCount })),
  ];
  let faultCount = 0;
  for (const { service, requestCount: count } of targets) {
    const startedAt = performance.now();
    const report = await fuzz({
      url: service.url,
      records,
      requestCount: count,
      seed,
    });
    const seconds = Math.round((performance.now() - startedAt) / 1_000);
    console.log(`\n${service.name}: ${count} requests in ${seconds} s\n${describe(report)}`);
    faultCount += report.faults.length + report.unsuccessful.length;
  }
  console.log(`\n${faultCount} faults`);
  return faultCount === 0 ? 0 : 1;
}

function describe({ statuses, faults, unsuccessful }: FuzzReport): string {
  const rows = [...statuses].sort(([left], [right]) => left.localeCompare(right, 'en'));
  return [
    ...rows.map(([operationId, counts]) => {
      const sorted = [...counts].sort(([left], [right]) => left - right);
      return `  ${operationId}: ${sorted.map(([status, count]) => `${status} × ${count}`).join(', ')}`;
    }),
    ...unsuccessful.map((operationId) => `\n${operationId}: no request succeeded`),
    ...faults
      .slice(0, PRINTED_COUNT)
      .map(
        ({ request, fault }) =>
          `\n${request.operationId}: ${fault.slice(0, 2_000)}\n  ${curlOf(request)}`,
      ),
  ].join('\n');
}
