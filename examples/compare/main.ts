/** `npm run compare`: measures FIT and other libraries on a broker of their own, and writes docs/comparison.md. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { freePorts, isOptionError, runCommand, type Stack, startStack } from '@fit/stack';
import { ManagementApi } from '@fit/topology/management';
import { CONNECTION_MANAGER, FIT, type Library, RABBITMQ_CLIENT, RASCAL } from './libraries.ts';
import { type Measured, measure } from './measure.ts';
import { renderComparison } from './renderComparison.ts';
import type { ScenarioVhost } from './scenarioBroker.ts';
import { prepareSpring } from './springLibrary.ts';

const USAGE = `npm run compare [-- options]

  --only <text>  libraries whose name contains it; prints the figures and writes no file
  --help

Starts a RabbitMQ of its own, measures each library, prints the comparison as Markdown, with the figures as JSON at its end, and
writes it to docs/comparison.md. Takes about ten minutes. Spring AMQP is measured where Maven and a Java compiler are.`;
const DOCUMENT = join(import.meta.dirname, '../../docs/comparison.md');

try {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) console.log(USAGE);
  else await compare(values.only);
} catch (error) {
  if (!isOptionError(error)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}

async function compare(only: string | undefined): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'compare-'));
  try {
    const spring = await prepareSpring(folder);
    const others = [RASCAL, CONNECTION_MANAGER, RABBITMQ_CLIENT];
    const libraries = [FIT, ...others, ...(typeof spring === 'string' ? [] : [spring])].filter(
      ({ name }) => only === undefined || name.toLowerCase().includes(only.toLowerCase()),
    );
    const stack = await startStack({
      name: `compare-${process.pid}`,
      servers: ['rabbitmq'],
      endsOnSignal: true,
      ports: await freePorts(),
    });
    try {
      const document = renderComparison({
        setting: await describeSetting(stack),
        libraries,
        measured: await measureAll(stack, libraries),
        missing: typeof spring === 'string' ? [`Spring AMQP, because ${spring}`] : [],
      });
      console.log(document);
      if (only === undefined) await writeFile(DOCUMENT, document);
    } finally {
      await stack.stop({ purge: true });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measureAll(stack: Stack, libraries: readonly Library[]): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (const [index, library] of libraries.entries()) {
    let vhostCount = 0;
    measured.push(
      await measure(library, {
        makeVhost: async () => {
          vhostCount += 1;
          return await makeVhost(stack, `compare-${index}-${vhostCount}`);
        },
        restartBroker: () => stack.restart('rabbitmq'),
        onProgress: (line) => {
          console.error(line);
        },
      }),
    );
  }
  return measured;
}

async function makeVhost(stack: Stack, vhost: string): Promise<ScenarioVhost> {
  const managementUrl = managementUrlOf(stack);
  const management = new ManagementApi(managementUrl, vhost);
  const permissions = { configure: '.*', write: '.*', read: '.*' };
  const refusal =
    (await management.put(['vhosts', vhost], {})) ??
    (await management.put(['permissions', vhost, 'guest'], permissions));
  if (refusal !== undefined) throw new Error(`the broker refused: ${refusal}`);
  return { amqpUrl: new URL(`/${vhost}`, stack.amqpUrl).href, managementUrl, vhost };
}

async function describeSetting(stack: Stack): Promise<string[]> {
  const memoryGiB = Math.round(totalmem() / 2 ** 30);
  const java = await runCommand(['java', '-version']);
  const versions = [
    `RabbitMQ ${await new ManagementApi(managementUrlOf(stack), '/').version()}`,
    `Node ${process.version}`,
    ...(java.code === 0 ? [`Java ${/"(.+)"/.exec(java.output)?.[1] ?? ''}`] : []),
  ];
  return [
    `measured on ${new Date().toISOString().slice(0, 10)}`,
    `machine: ${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown processor'}, ${memoryGiB} GiB; load average ${(loadavg()[0] ?? 0).toFixed(1)} before`,
    `versions: ${versions.join(', ')}; those of the libraries are in the table`,
  ];
}

/** @throws Error if the broker was given from outside, because it is restarted. */
function managementUrlOf({ managementUrl }: Stack): string {
  if (managementUrl !== undefined && process.env['AMQP_URL'] === undefined) return managementUrl;
  throw new Error('the comparison restarts its own broker: unset AMQP_URL');
}
