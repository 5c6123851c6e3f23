/** Runs `npm start` of this repository with a name, a folder and ports of its own. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { TestContext } from 'node:test';
import { eventually, testBroker, testDatabaseUrl } from '@fit/stack/testing';
import { defaultFolder } from '../../src/launch/stackFolder.ts';
import { freePorts, portVariable, type StackPorts } from '../../src/ports.ts';
import { processesOnFolder } from '../../src/process/processTable.ts';
import { ProcessTree } from './processTree.ts';

const REPOSITORY = resolve(import.meta.dirname, '../../../..');

export interface StartOptions {
  /** Further words of `npm start`. */
  readonly words?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Every `run` of one instance has the same name, folder and ports. */
export class NpmStart {
  readonly folder: string;
  readonly ports: StackPorts;
  readonly #t: TestContext;
  readonly #name: string;
  readonly #env: Readonly<Record<string, string>>;

  private constructor(t: TestContext, ports: StackPorts, env: Readonly<Record<string, string>>) {
    this.#t = t;
    this.#name = `test-${randomUUID().slice(0, 8)}`;
    this.folder = defaultFolder(this.#name);
    this.ports = ports;
    const names = Object.keys(ports) as (keyof StackPorts)[];
    const variables = names.map((name) => [portVariable(name), String(ports[name])]);
    this.#env = { ...(Object.fromEntries(variables) as Record<string, string>), ...env };
  }

  /** A start that starts all servers itself. */
  static async native(t: TestContext): Promise<NpmStart> {
    const start = new NpmStart(t, await freePorts(), {});
    t.after(() => rm(start.folder, { recursive: true, force: true, maxRetries: 5 }));
    return start;
  }

  /** A start on broker and database of `npm test`, which takes seconds only. */
  static async withGivenServers(t: TestContext): Promise<NpmStart> {
    const { amqpUrl, managementUrl } = await testBroker(t);
    const start = new NpmStart(t, await freePorts(), {
      AMQP_URL: amqpUrl,
      AMQP_MANAGEMENT_URL: managementUrl,
      MONGODB_URL: testDatabaseUrl(),
    });
    t.after(() => rm(start.folder, { recursive: true, force: true, maxRetries: 5 }));
    return start;
  }

  run({ words = [], env = {} }: StartOptions = {}): ProcessTree {
    return ProcessTree.start(this.#t, {
      cwd: REPOSITORY,
      words: ['start', '--', '--name', this.#name, ...words],
      env: { ...this.#env, ...env },
    });
  }

  /** @throws AssertionError that names a process of the start, or of its services. */
  async leavesNothing(tree: ProcessTree): Promise<void> {
    await tree.leavesNothing();
    await eventually(() => processesOnFolder(this.folder).length === 0, {
      describe: () => `servers left: ${processesOnFolder(this.folder).join(', ')}`,
    });
    assert.deepEqual(processesOnFolder(this.folder), []);
  }
}

/** @returns the process id that the launcher reported last for that program. */
export function lastPidOf(name: string, { stderr }: ProcessTree): number {
  const ready = new RegExp(`${name} ready after .* \\(pid (\\d+)\\)`, 'g');
  const pid = Number([...stderr.matchAll(ready)].at(-1)?.[1]);
  assert.ok(pid > 1, `${name} was never ready:\n${stderr}`);
  return pid;
}
