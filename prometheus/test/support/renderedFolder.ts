/** A temporary folder with the rendered configuration of a profile, removed after the test. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Profile } from '@fit/contract';
import { COMPOSE_TARGETS, writeMonitoringConfig } from '../../src/index.ts';
import { createWodAlone } from './createWodAlone.ts';

interface Teardown {
  after(undo: () => Promise<void>): void;
}

export async function renderedFolder(
  teardown: Teardown,
  profile: Profile = 'default',
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fit-monitoring-'));
  teardown.after(() => rm(folder, { recursive: true, force: true }));
  await writeMonitoringConfig(folder, {
    declaration: createWodAlone(profile),
    targets: COMPOSE_TARGETS,
  });
  return folder;
}
