/** Goal: a heartbeat names what the worker has in hand, and renews attempts that run for long. Method: fakes that note each write. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { JobStores, WorkerStatus } from '@fit/jobs/store';
import type { ReceivedJob } from '../../src/record/jobMessage.ts';
import { WorkerHeartbeat } from '../../src/work/workerHeartbeat.ts';
import { workerStatus } from '../support/fakes.ts';

function open(unsettledIds: readonly string[]) {
  const writes: string[] = [];
  const failures = { beat: 0 };
  const note = (text: string) => {
    writes.push(text);
    return Promise.resolve();
  };
  const heartbeat = new WorkerHeartbeat({
    id: 'worker',
    status: () => workerStatus('trivial'),
    onDrain: () => undefined,
    unsettledIds: () => unsettledIds,
    intervalMs: 10,
    stores: {
      workers: {
        beat: async (id: string, { kind }: WorkerStatus, jobIds: readonly string[]) => {
          if (failures.beat-- > 0) throw new Error('out');
          await note(`beat ${id} ${kind} ${jobIds.join()}`);
          return {};
        },
        remove: (id: string) => note(`remove ${id}`),
      },
      jobs: {
        renewRunning: (ids: readonly string[]) => note(`renew ${ids.join()}`),
        change: (transition: string, changes: readonly { id: string; payload: unknown }[]) =>
          note(`${transition} ${JSON.stringify(changes)}`),
      },
    } as unknown as JobStores,
  });
  const written = async (text: string, from = 0) => {
    while (!writes.slice(from).includes(text)) await turn();
  };
  return { heartbeat, writes, failures, written };
}

const message = (id: string, signedRunId: string | undefined): ReceivedJob => ({
  id,
  kind: 'trivial',
  generation: 1,
  payload: { of: id },
  signedRunId,
});

test('the first heartbeat is written at once, a failed one is written again, and a stop removes the record', {
  timeout: 30_000,
}, async () => {
  const { heartbeat, writes, failures, written } = open(['a', 'b']);
  failures.beat = 1;
  await heartbeat.start();
  assert.equal(writes.length, 0);
  await written('beat worker trivial a,b');
  await heartbeat.stop();
  assert.equal(writes.at(-1), 'remove worker');
});

test('long attempts are marked together and renewed until they end; an unsigned one only where its payload is that of the record', {
  timeout: 30_000,
}, async (t) => {
  const { heartbeat, writes, written } = open([]);
  await heartbeat.start();
  t.after(() => heartbeat.stop());
  const [first, second, ended] = [message('a', 'run'), message('b', 'run'), message('c', 'run')];
  const unsigned = message('d', undefined);
  for (const long of [first, second, ended, unsigned]) heartbeat.addLong(long);
  heartbeat.end(ended);
  await written('renew a,b');
  await written('run [{"id":"d","generation":1,"payload":{"of":"d"}}]');
  assert.ok(!writes.some((write) => write.includes('c') && write.startsWith('renew')));
  heartbeat.end(first);
  await written('renew b', writes.length);
});
