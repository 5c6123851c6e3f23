/** Starts only Alertmanager, on free ports, with the rendered configuration. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fitTopology } from '@fit/contract';
import { freePorts, type Stack, startStack } from '@fit/stack';
import type { Teardown } from '@fit/stack/testing';
import { nativeTargets, writeMonitoringConfig } from '../../src/index.ts';

type RenderOptions = Parameters<typeof writeMonitoringConfig>[1];

export interface AlertmanagerOptions extends Pick<RenderOptions, 'receivers' | 'windows'> {
  /** Changes the written configuration before Alertmanager reads it. */
  readonly amend?: (configPath: string) => Promise<void>;
}

export async function startAlertmanager(
  teardown: Teardown,
  { amend, ...rendered }: AlertmanagerOptions = {},
): Promise<Stack> {
  const name = `test-${randomUUID().slice(0, 8)}`;
  const folder = await mkdtemp(join(tmpdir(), 'fit-monitoring-'));
  const ports = await freePorts();
  const declaration = fitTopology({ profile: 'default' });
  await writeMonitoringConfig(folder, { declaration, targets: nativeTargets(ports), ...rendered });
  await amend?.(join(folder, 'alertmanager.yml'));
  const stack = await startStack({
    name,
    folder: join(tmpdir(), `fit-stack-${name}`),
    ports,
    servers: ['alertmanager'],
    prometheusConfigFolder: folder,
  });
  teardown.after(async () => {
    await stack.stop({ purge: true });
    await rm(folder, { recursive: true, force: true });
  });
  return stack;
}
