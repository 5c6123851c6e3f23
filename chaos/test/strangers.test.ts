/**
 * Goal: strangers cannot end a process with what they leave unfinished. Method: real monolith and coach with the heap of
 * production; 400 connections to each of their ports, each with 96 kB of a JSON body that does not end: in one piece, and
 * in pieces of a few bytes, each of which costs a careless reader an object of its own.
 */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { Service } from '@fit/stack';
import { eventually } from '@fit/stack/testing';
import { startWorld } from './support/world.ts';

const CONNECTIONS = 400;
const SENT_BYTES = 96_000;
/** Of resident memory: the budget of bodies, the connections themselves, and what the collector has not yet taken back. */
const GROWTH_BYTES = 64 * 1024 * 1024;

async function residentBytes({ metricsUrl }: Service): Promise<number> {
  const response = await fetch(metricsUrl, { signal: AbortSignal.timeout(5_000) });
  const value = /^process_resident_memory_bytes (\S+)$/m.exec(await response.text())?.[1];
  return Number(value);
}

interface Shape {
  readonly name: string;
  readonly header: string;
  readonly body: string;
}

const SHAPES: readonly Shape[] = [
  {
    name: 'in one piece',
    header: 'content-length: 100000',
    body: `{"id":"${'x'.repeat(SENT_BYTES - 7)}`,
  },
  {
    name: 'in pieces of three bytes',
    header: 'transfer-encoding: chunked',
    body: `3\r\n{"i\r\n4\r\nd":"\r\n${'3\r\nxyz\r\n'.repeat(SENT_BYTES / 8)}`,
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
  const origins = [service.url, new URL(service.metricsUrl).origin];
  for (const origin of origins)
    await eventually(
      async () =>
        (await fetch(`${origin}/livez`, { signal: AbortSignal.timeout(5_000) })).status === 200,
      { deadlineMs: 60_000, describe: () => `${origin}/livez does not answer 200` },
    );
  const grownBytes = (await residentBytes(service)) - startBytes;
  assert.ok(grownBytes < GROWTH_BYTES, `${service.name} grew by ${grownBytes} bytes`);
}

for (const shape of SHAPES)
  for (const hasToken of [false, true])
    test(`${CONNECTIONS} unfinished bodies ${shape.name}, with${hasToken ? '' : 'out'} the token, leave every process as it was`, async (t) => {
      const { system } = await startWorld(t);
      const headers = hasToken ? [`authorization: Bearer ${system.adminToken}`] : [];
      for (const service of [system.monolith, ...system.coaches]) {
        const ended = service.child.exited.then(({ code, signal }) => {
          throw new Error(`${service.name} ended: code ${String(code)}, signal ${String(signal)}`);
        });
        const startBytes = await residentBytes(service);
        for (const origin of [service.url, new URL(service.metricsUrl).origin]) {
          const { port } = new URL(origin);
          const sockets = await Promise.race([attack(t, { port, shape, headers }), ended]);
          await Promise.race([expectUnharmed(service, startBytes), ended]);
          for (const socket of sockets) socket.destroy();
        }
        ended.catch(() => undefined);
      }
    });
