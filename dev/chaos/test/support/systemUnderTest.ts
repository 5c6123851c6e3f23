/** Monolith and coaches as real processes, in a virtual host and a database of their own, for one test. */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type FitClient, followRun, type RunStatusReply } from '@fit/client';
import { cronSecretFile, type System, startSystem } from '@fit/stack';
import { testBroker, testDatabaseUrl } from '@fit/stack/testing';

const RUN_TIMEOUT_MS = 60_000;

/** The date of the runs of most tests. */
export const DATE = '2026-01-05';

export interface SystemUnderTest {
  readonly system: System;
  readonly client: FitClient;
  /** Where the system has its logs and secrets. */
  readonly folder: string;
  /** The whole environment of a program beside the system, such as cron or the replay command. */
  readonly env: NodeJS.ProcessEnv;
}

export interface SystemUnderTestOptions {
  /** Default: a virtual host of its own on the broker of `npm test`. */
  readonly broker?: { readonly amqpUrl: string; readonly managementUrl: string };
  /** Default: a database of its own; a test may give one behind a proxy. */
  readonly mongodbUrl?: string;
  /** Default 1. */
  readonly coachCount?: number;
}

/** @param settings variables of monolith and coach; tiers are short unless the settings say otherwise. */
export async function startSystemUnderTest(
  t: TestContext,
  settings: Readonly<Record<string, string>> = {},
  options: SystemUnderTestOptions = {},
): Promise<SystemUnderTest> {
  // In reverse order, unlike hooks of the test: no process must run when its virtual host is deleted.
  const resources = new AsyncDisposableStack();
  t.after(() => resources.disposeAsync());
  const teardown = {
    after: (cleanup: () => Promise<void>) => {
      resources.defer(cleanup);
    },
  };
  const { amqpUrl, managementUrl } = options.broker ?? (await testBroker(teardown));
  const mongodbUrl = options.mongodbUrl ?? testDatabaseUrl();
  const folder = join(tmpdir(), `fit-test-${randomUUID()}`);
  const env = { FIT_TIERS: '200ms,400ms,600ms', ...settings };
  const system = await startSystem({
    amqpUrl,
    managementUrl,
    mongodbUrl,
    coachCount: options.coachCount ?? 1,
    folder,
    env,
  });
  resources.defer(() => rm(folder, { recursive: true, force: true }));
  resources.defer(() => system.stop());
  return {
    system,
    client: system.client,
    folder,
    env: {
      ...process.env,
      ...env,
      AMQP_URL: amqpUrl,
      MONGODB_URL: mongodbUrl,
      FIT_URL: system.monolith.url,
      FIT_CRON_SECRET_FILE: cronSecretFile(folder),
    },
  };
}

/** Resolves when every job of the run is done or dead. */
export async function waitForRun(
  { client }: SystemUnderTest,
  runId: string,
): Promise<RunStatusReply> {
  return await followRun({ client, runId, waitMs: RUN_TIMEOUT_MS, onProgress: () => undefined });
}
