/**
 * Goal: clients that never finish their requests cannot end a process, make it grow, or keep other clients out. Method:
 * real monolith and coach with the heap of production; 400 connections to each of their ports, each with 96 kB of a JSON
 * body that does not end, at once and in chunks of a few bytes, of which each costs a careless reader an object. Then more
 * idle connections than a port accepts.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { readMemory } from '@fit/bench';
import { makeSecret } from '@fit/service/secret-file';
import type { Service } from '@fit/stack';
import { eventually } from '@fit/stack/testing';
import { startSystemUnderTest } from './support/systemUnderTest.ts';

const CONNECTION_COUNT = 400;
const SENT_BYTES = 96_000;
/** Node parses a million chunks for seconds, far longer on a busy machine, and answers no request meanwhile. */
const ANSWER_TIMEOUT_MS = 120_000;
/** More connections than each port accepts. */
const IDLE_CONNECTION_COUNT = 1_200;
/** The bound of the growth of resident memory: the budget of bodies, the connections, and garbage that is not collected yet. */
const GROWTH_LIMIT_BYTES = 64 * 1024 * 1024;

/** Read from the kernel, because the process itself may still be busy with what it received. */
function residentBytes({ child }: Service): number {
  return readMemory(child.pid).residentBytes;
}

interface UnfinishedBody {
  readonly name: string;
  readonly header: string;
  readonly body: string;
}

const BODIES: readonly UnfinishedBody[] = [
  {
    name: 'in one piece',
    header: 'content-length: 100000',
    body: `{"id":"${'x'.repeat(SENT_BYTES - 7)}`,
  },
  {
    name: 'in chunks of three bytes',
    header: 'transfer-encoding: chunked',
    body: `3\r\n{"i\r\n4\r\nd":"\r\n${'3\r\nxyz\r\n'.repeat(SENT_BYTES / 16)}`,
  },
];

interface Attack {
  readonly port: string;
  readonly unfinished: UnfinishedBody;
  readonly headers: readonly string[];
}

/** Resolves when each connection has sent its request, or was answered or closed. */
async function attack(t: TestContext, { port, unfinished, headers }: Attack): Promise<Socket[]> {
  const { header, body } = unfinished;
  const type = 'content-type: application/json';
  const lines = ['POST /users HTTP/1.1', 'host: x', type, header, ...headers];
  const request = `${lines.join('\r\n')}\r\n\r\n${body}`;
  const sockets: Socket[] = [];
  let settledCount = 0;
  for (let count = 0; count < CONNECTION_COUNT; count += 1) {
    const socket = connect(Number(port), '127.0.0.1');
    sockets.push(socket);
    let isSettled = false;
    const settle = () => {
      if (!isSettled) settledCount += 1;
      isSettled = true;
    };
    socket.on('error', settle).on('close', settle).on('data', settle);
    socket.write(request, settle);
  }
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  await eventually(() => settledCount === CONNECTION_COUNT, {
    deadlineMs: 60_000,
    describe: () => `${settledCount} of ${CONNECTION_COUNT} connections have sent their request`,
  });
  return sockets;
}

async function expectUnharmed(service: Service, startBytes: number): Promise<void> {
  for (const origin of originsOf(service))
    await eventually(
      async () =>
        (await fetch(`${origin}/livez`, { signal: AbortSignal.timeout(5_000) })).status === 200,
      { deadlineMs: ANSWER_TIMEOUT_MS, describe: () => `${origin}/livez does not answer 200` },
    );
  const grownBytes = residentBytes(service) - startBytes;
  assert.ok(grownBytes < GROWTH_LIMIT_BYTES, `${service.name} grew by ${grownBytes} bytes`);
}

const ALERTMANAGER_PASSWORD = 'a-password-of-alertmanager';

test('monolith and coach survive hostile connections without growing, and answer other clients', async (t) => {
  const bootstrapSecret = makeSecret();
  const { system, client } = await startSystemUnderTest(t, {
    FIT_BOOTSTRAP_SECRET: bootstrapSecret,
    ALERTMANAGER_URL: `http://fit:${ALERTMANAGER_PASSWORD}@127.0.0.1:1`,
  });
  const services = [system.monolith, ...system.coaches];
  const ended = Promise.race(
    services.map(async ({ name, child }) => {
      const { code, signal } = await child.exited;
      throw new Error(`${name} ended: code ${String(code)}, signal ${String(signal)}`);
    }),
  );
  // The promise is rejected also when the system is stopped at the end, and then nothing awaits it.
  ended.catch(() => undefined);

  await t.test(
    'the bootstrap secret and the login of Alertmanager are in the environment of the monolith and of no coach',
    async () => {
      for (const { name, child } of services) {
        const environment = await readFile(`/proc/${child.pid}/environ`, 'utf8');
        for (const secret of [bootstrapSecret, ALERTMANAGER_PASSWORD])
          assert.equal(environment.includes(secret), name === 'monolith', name);
      }
    },
  );

  for (const unfinished of BODIES)
    for (const hasToken of [false, true])
      await t.test(
        `${CONNECTION_COUNT} unfinished bodies ${unfinished.name}, with${hasToken ? '' : 'out'} the token`,
        async (t) => {
          const headers = hasToken ? [`authorization: Bearer ${await client.token()}`] : [];
          // The coach checks no token, so requests with one are the same to it.
          for (const service of hasToken ? [system.monolith] : services) {
            const startBytes = residentBytes(service);
            for (const origin of originsOf(service)) {
              const { port } = new URL(origin);
              const sockets = await Promise.race([attack(t, { port, unfinished, headers }), ended]);
              await Promise.race([expectUnharmed(service, startBytes), ended]);
              for (const socket of sockets) socket.destroy();
            }
          }
        },
      );

  await t.test(
    'a port with more idle connections than it accepts still answers a new one',
    async (t) => {
      for (const origin of services.flatMap(originsOf)) {
        let openedCount = 0;
        const sockets = Array.from({ length: IDLE_CONNECTION_COUNT }, () =>
          connect(Number(new URL(origin).port), '127.0.0.1', () => (openedCount += 1)).on(
            'error',
            () => undefined,
          ),
        );
        t.after(() => {
          for (const socket of sockets) socket.destroy();
        });
        await eventually(() => openedCount === IDLE_CONNECTION_COUNT, {
          deadlineMs: 60_000,
          describe: () => `${openedCount} connections are open`,
        });
        const response = await fetch(`${origin}/livez`);
        assert.equal(response.status, 200, origin);
        await response.text();
        for (const socket of sockets) socket.destroy();
      }
    },
  );
});

function originsOf({ url, metricsUrl }: Service): string[] {
  return [url, new URL(metricsUrl).origin];
}
