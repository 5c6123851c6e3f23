/** A monolith and a coach for the tests of a file. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type System, startSystem } from '@fit/stack';
import { testBroker, testDatabaseUrl } from '@fit/stack/testing';

export interface SystemOfTest {
  readonly system: System;
  readonly mongodbUrl: string;
  /** Where the system has its secrets. */
  readonly folder: string;
  /** Called after the test, before the system stops. */
  readonly defer: (cleanup: () => Promise<void>) => void;
}

export async function startSystemOf(
  t: TestContext,
  env: Readonly<Record<string, string>> = {},
): Promise<SystemOfTest> {
  const resources = new AsyncDisposableStack();
  t.after(() => resources.disposeAsync());
  const broker = await testBroker({
    after: (cleanup) => {
      resources.defer(cleanup);
    },
  });
  const folder = await mkdtemp(join(tmpdir(), 'fit-api-'));
  resources.defer(() => rm(folder, { recursive: true, force: true }));
  const mongodbUrl = testDatabaseUrl();
  const { amqpUrl, managementUrl } = broker;
  const system = await startSystem({ amqpUrl, managementUrl, mongodbUrl, folder, env });
  resources.defer(() => system.stop());
  return {
    system,
    mongodbUrl,
    folder,
    defer: (cleanup) => {
      resources.defer(cleanup);
    },
  };
}
