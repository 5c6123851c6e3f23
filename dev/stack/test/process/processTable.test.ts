/** Goal: killing by namespace never hits another program. Method: real mount namespaces, one after the other. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { eventually } from '@fit/stack/testing';
import {
  descendantsOf,
  type HeldNamespace,
  holdNamespace,
  processesIn,
} from '../../src/process/processTable.ts';
import { checkHost } from '../../src/root/checkHost.ts';

interface NamespaceProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly namespace: HeldNamespace;
}

async function startInNamespace(t: TestContext): Promise<NamespaceProcess> {
  const flags = (await checkHost()) === 'user' ? ['--user', '--map-root-user'] : [];
  const child = spawn('unshare', [...flags, '--mount', 'sleep', '600'], { stdio: 'ignore' });
  t.after(() => child.kill('SIGKILL'));
  const pid = child.pid ?? 0;
  const namespace = await eventually(() => holdNamespace(pid), { describe: () => `pid ${pid}` });
  return { child, pid, namespace };
}

async function end({ child }: NamespaceProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

test('the id of a held namespace is not reused', async (t) => {
  const first = await startInNamespace(t);
  assert.deepEqual(processesIn(first.namespace.id), [first.pid]);
  await end(first);
  for (let count = 0; count < 10; count += 1) {
    const next = await startInNamespace(t);
    assert.notEqual(next.namespace.id, first.namespace.id);
    await end(next);
    next.namespace.release();
  }
  assert.deepEqual(processesIn(first.namespace.id), []);
  first.namespace.release();
});

test('the namespace of this process is never held', () => {
  assert.equal(holdNamespace(process.pid), undefined);
});

test('descendants are found over several generations', async (t) => {
  const child = spawn('sh', ['-c', 'sh -c "sleep 600 & wait" & wait'], { stdio: 'ignore' });
  t.after(() => child.kill('SIGKILL'));
  const descendants = () => descendantsOf(child.pid ?? 0);
  const found = await eventually(() => (descendants().length === 2 ? descendants() : undefined), {
    describe: () => JSON.stringify(descendants()),
  });
  for (const { pid } of found) process.kill(pid, 'SIGKILL');
});
