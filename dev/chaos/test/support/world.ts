/** Monolith and coach as real processes in a virtual host and a database of their own, for one test. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { TestContext } from 'node:test';
import { FitClient, followRun } from '@fit/client';
import { type System, type SystemOptions, startSystem } from '@fit/stack';
import { testBroker, testDatabaseUrl } from '@fit/stack/testing';

export const REPOSITORY = resolve(import.meta.dirname, '../../../..');
const WAIT_MS = 60_000;
export const DAY = '2026-01-05';

export interface World {
  readonly system: System;
  readonly client: FitClient;
  readonly env: Readonly<Record<string, string>>;
}

/** @param parts replace what a world has by itself: a server by way of a proxy, the number of coaches. */
export async function startWorld(
  t: TestContext,
  settings: Record<string, string> = {},
  parts: Partial<Pick<SystemOptions, 'mongodbUrl' | 'coachCount'>> = {},
): Promise<World> {
  const { amqpUrl, managementUrl } = await testBroker(t);
  const { mongodbUrl = testDatabaseUrl(), coachCount = 1 } = parts;
  const env = { FIT_TIERS: '200ms,400ms,600ms', ...settings };
  const folder = join(tmpdir(), `fit-test-${randomUUID()}`);
  const system = await startSystem({
    amqpUrl,
    managementUrl,
    mongodbUrl,
    coachCount,
    folder,
    env,
  });
  t.after(async () => {
    await system.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const client = new FitClient(system.monolith.url, system.adminToken);
  return { system, client, env: { ...env, AMQP_URL: amqpUrl, MONGODB_URL: mongodbUrl } };
}

export async function follow({ client }: World, runId: string) {
  return await followRun({ client, runId, waitMs: WAIT_MS, onProgress: () => undefined });
}

export async function runScript(world: World, args: readonly string[]) {
  const child = spawn(process.execPath, [...args], {
    cwd: REPOSITORY,
    env: {
      ...process.env,
      ...world.env,
      FIT_URL: world.system.monolith.url,
      FIT_ADMIN_TOKEN: world.system.adminToken,
    },
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
  const code = await new Promise<number | null>((settle) => child.once('exit', settle));
  return { code, output };
}
