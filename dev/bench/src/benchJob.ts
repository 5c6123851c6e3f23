/** The main job against its floor, on a stack of its own; medians of several runs, and their ratio. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { freePorts, type Stack, startStack, startSystem } from '@fit/stack';
import { MongoClient } from 'mongodb';
import { describeMachine } from './describeMachine.ts';
import { type FitFigures, measureFit } from './measureFit.ts';
import { type FloorFigures, measureFloor } from './measureFloor.ts';
import { readCount } from './readCount.ts';
import { type Round, renderTable, summarise } from './summary.ts';

const USAGE = `npm run bench -- [--users N] [--runs N] [--json] [--help]
npm run bench -- topology [--help]       the topology library alone
npm run bench -- observability [--help]  what metrics, logs and traces cost

  --users N  members of the large run, default 10000 (the small one has 1000)
  --runs N   rounds, each on a fresh stack, default 3; medians are reported
  --json     the figures as JSON only`;

export async function benchJob(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      users: { type: 'string', default: '10000' },
      runs: { type: 'string', default: '3' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const userCount = readCount('users', values.users);
  const roundCount = readCount('runs', values.runs);
  const rounds: Round[] = [];
  for (let index = 1; index <= roundCount; index += 1) {
    process.stderr.write(`round ${index} of ${roundCount} …\n`);
    rounds.push(await runRound(userCount));
  }
  const summary = summarise(rounds);
  const machine = describeMachine();
  if (!values.json) process.stdout.write(`${machine}\n\n${renderTable(summary)}\n\n`);
  process.stdout.write(`${JSON.stringify({ machine, summary, rounds })}\n`);
}

async function runRound(userCount: number): Promise<Round> {
  const name = `bench-${process.pid}`;
  const stack = await startStack({
    name,
    ports: await freePorts(),
    services: ['rabbitmq', 'gateway'],
    folder: resolve(import.meta.dirname, `../../../.stack/${name}`),
    endsOnSignal: true,
  });
  try {
    return await measure(stack, userCount);
  } finally {
    await stack.stop({ purge: true });
  }
}

async function measure(stack: Stack, userCount: number): Promise<Round> {
  const mongodbUrl = new URL('/fit', stack.mongodbUrl).href;
  const { amqpUrl, managementUrl } = stack;
  const folder = resolve(import.meta.dirname, `../../../.stack/bench-${process.pid}/logs`);
  const system = await startSystem({ amqpUrl, managementUrl, mongodbUrl, folder });
  const client = new MongoClient(mongodbUrl);
  const database = client.db('fit');
  try {
    const small: FitFigures = await measureFit(system, database, {
      userCount: 1_000,
      date: '2026-01-01',
    });
    const large: FitFigures = await measureFit(system, database, { userCount, date: '2026-01-02' });
    const floor: FloorFigures = await measureFloor({ amqpUrl, database, date: '2026-01-02' });
    return { small, large, floor };
  } finally {
    await client.close();
    await system.stop();
  }
}
