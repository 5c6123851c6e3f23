/** What the live tests share: a verification on the tests' broker, and whether its virtual vhosts are gone. */
import assert from 'node:assert/strict';
import { askManagement } from '@fit/stack/testing';
import type { Declaration } from '@fit/topology';
import {
  type VerifyOptions,
  type VerifyReport,
  verifyTopology,
} from '../../src/verify/verifyTopology.ts';

/** Where all is to be found good: a machine that others use stalls for seconds. */
export const TOLERANCE_MS = 15_000;
/** Where something will be missing, and is waited for that long. */
export const SHORT_TOLERANCE_MS = 5_000;

export const broker = () => ({
  amqpUrl: process.env['FIT_TEST_AMQP_URL'] ?? '',
  managementUrl: process.env['FIT_TEST_MANAGEMENT_URL'] ?? '',
});

export async function vhostNames(): Promise<string[]> {
  const vhosts = (await askManagement({ method: 'GET', path: '/api/vhosts' })) as {
    name: string;
  }[];
  return vhosts.map(({ name }) => name);
}

/** Runs, and asserts that nothing of it is left on the broker, whatever came of it. */
export async function runVerify(
  declaration: Declaration,
  options: Partial<VerifyOptions> = {},
): Promise<VerifyReport> {
  const made: string[] = [];
  try {
    return await verifyTopology({
      declaration,
      toleranceMs: TOLERANCE_MS,
      ...broker(),
      ...options,
      onAsserted: async (asserted) => {
        made.push(asserted.vhost);
        await options.onAsserted?.(asserted);
      },
    });
  } finally {
    const left = await vhostNames();
    assert.ok(made.length > 0, 'no virtual host was made');
    assert.deepEqual(
      made.filter((name) => left.includes(name)),
      [],
    );
  }
}

export function differencesOf({ paths }: VerifyReport): string[] {
  return paths
    .filter(({ isAsPlanned }) => !isAsPlanned)
    .map(({ path, differences }) => `${path}: ${differences.join('; ')}`);
}
