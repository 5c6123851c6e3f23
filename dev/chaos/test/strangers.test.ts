/**
 * Goal: strangers cannot end a process with what they leave unfinished, nor shut others out. Method: real monolith and coach with the heap of
 * production; 400 connections to each of their ports, each with 96 kB of a JSON body that does not end, and with half of it
 * in pieces of a few bytes, each of which costs a careless reader an object of its own. Then more connections than a port
 * takes, without a word on any.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { Service } from '@fit/stack';
import { eventually } from '@fit/stack/testing';
import { startWorld } from './support/world.ts';

const CONNECTIONS = 400;
const SENT_BYTES = 96_000;
/** Node parses a million pieces for seconds, and far longer on a machine that is busy; meanwhile nobody is answered. */
const BUSY_MS = 120_000;
/** More than each port takes. */
const IDLE_CONNECTIONS = 1_200;
/** Of resident memory: the budget of bodies, the connections themselves, and what the collector has not yet taken back. */
const GROWTH_BYTES = 64 * 1024 * 1024;

/** Asked of the kernel, since the process itself may still be busy with what it was sent. */
async function residentBytes({ child }: Service): Promise<number> {
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

interface Shape {
  readonly name: string;
  readonly header: string;
  readonly body: string;
  readonly isInPieces: boolean;
}

const SHAPES: readonly Shape[] = [
  {
    name: 'in one piece',
    header: 'content-length: 100000',
    body: `{"id":"${'x'.repeat(SENT_BYTES - 7)}`,
    isInPieces: false,
  },
  {
    name: 'in pieces of three bytes',
    header: 'transfer-encoding: chunked',
    body: `3\r\n{"i\r\n4\r\nd":"\r\n${'3\r\nxyz\r\n'.repeat(SENT_BYTES / 16)}`,
    isInPieces: true,
  },
];

interface Attack {
  readonly port: string;
  readonly shape: Shape;
  readonly headers: readonly string[];
}

/** @returns when every connection has sent everything, or was answered or closed. */
async function attack(t: TestContext, { port, shape, headers }: Attack): Promise<Socket[]> {
  const { header, body } = shape;
  const type = 'content-type: application/json';
  const lines = ['POST /users HTTP/1.1', 'host: x', type, header, ...headers];
  const request = `${lines.join('\r\n')}\r\n\r\n${body}`;
  const sockets: Socket[] = [];
  let settled = 0;
  for (let count = 0; count < CONNECTIONS; count += 1) {
    const socket = connect(Number(port), '127.0.0.1');
    sockets.push(socket);
    let isSettled = false;
    const settle = () => {
      if (!isSettled) settled += 1;
      isSettled = true;
    };
    socket.on('error', settle).on('close', settle).on('data', settle);
    socket.write(request, settle);
  }
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  await eventually(() => settled === CONNECTIONS, {
    deadlineMs: 60_000,
    describe: () => `${settled} of ${CONNECTIONS} connections have sent what they had`,
  });
  return sockets;
}

async function expectUnharmed(service: Service, startBytes: number): Promise<void> {
  for (const origin of originsOf(service))
    await eventually(
      async () =>
        (await fetch(`${origin}/livez`, { signal: AbortSignal.timeout(5_000) })).status === 200,
      { deadlineMs: BUSY_MS, describe: () => `${origin}/livez does not answer 200` },
    );
  const grownBytes = (await residentBytes(service)) - startBytes;
  assert.ok(grownBytes < GROWTH_BYTES, `${service.name} grew by ${grownBytes} bytes`);
}

const ALERTMANAGER_PASSWORD = 'a-password-of-alertmanager';

test('strangers leave monolith and coach as they were', async (t) => {
  const { system } = await startWorld(t, {
    ALERTMANAGER_URL: `http://fit:${ALERTMANAGER_PASSWORD}@127.0.0.1:1`,
  });
  const services = [system.monolith, ...system.coaches];
  const ended = Promise.race(
    services.map(async ({ name, child }) => {
      const { code, signal } = await child.exited;
      throw new Error(`${name} ended: code ${String(code)}, signal ${String(signal)}`);
    }),
  );
  // It rejects at the latest when the system is stopped, and then nobody waits for it.
  ended.catch(() => undefined);

  await t.test(
    'token and login of Alertmanager are known to the monolith and to no coach',
    async () => {
      for (const { name, child } of services) {
        const environment = await readFile(`/proc/${child.pid}/environ`, 'utf8');
        for (const secret of [system.adminToken, ALERTMANAGER_PASSWORD])
          assert.equal(environment.includes(secret), name === 'monolith', name);
      }
    },
  );

  for (const shape of SHAPES)
    for (const hasToken of [false, true])
      await t.test(
        `${CONNECTIONS} unfinished bodies ${shape.name}, with${hasToken ? '' : 'out'} the token`,
        async (t) => {
          const headers = hasToken ? [`authorization: Bearer ${system.adminToken}`] : [];
          // A coach is given no token, so that one makes no difference to it.
          for (const service of hasToken ? [system.monolith] : services) {
            const startBytes = await residentBytes(service);
            for (const origin of originsOf(service)) {
              const { port } = new URL(origin);
              const sockets = await Promise.race([attack(t, { port, shape, headers }), ended]);
              await Promise.race([expectUnharmed(service, startBytes), ended]);
              for (const socket of sockets) socket.destroy();
            }
          }
        },
      );

  await t.test('more idle connections than a port takes shut nobody out', async (t) => {
    for (const origin of services.flatMap(originsOf)) {
      let opened = 0;
      const sockets = Array.from({ length: IDLE_CONNECTIONS }, () =>
        connect(Number(new URL(origin).port), '127.0.0.1', () => (opened += 1)).on(
          'error',
          () => undefined,
        ),
      );
      t.after(() => {
        for (const socket of sockets) socket.destroy();
      });
      await eventually(() => opened === IDLE_CONNECTIONS, {
        deadlineMs: 60_000,
        describe: () => `${opened} connections are open`,
      });
      const response = await fetch(`${origin}/livez`);
      assert.equal(response.status, 200, origin);
      await response.text();
      for (const socket of sockets) socket.destroy();
    }
  });
});

function originsOf({ url, metricsUrl }: Service): string[] {
  return [url, new URL(metricsUrl).origin];
}
