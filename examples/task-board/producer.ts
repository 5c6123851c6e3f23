/** Takes a random task that waits and puts its id on the queue, one after the other. */
import { setTimeout as pause } from 'node:timers/promises';
import { createConnection, createPublisher } from '@fit/topology';
import { setting, whenStopped } from './process.ts';
import { TaskStore } from './taskStore.ts';
import { board } from './topology.ts';

const IDLE_MS = 500;
const FAILED_MS = 1_000;

const stopping = new AbortController();
const store = await TaskStore.open(setting('MONGODB_URL'));
const connection = await createConnection({ url: setting('AMQP_URL'), connectTimeout: 'forever' });
const publisher = await createPublisher({ connection, topology: board });
const running = produce(stopping.signal);
console.log('producer: ready');
await whenStopped();
stopping.abort();
await running;
await connection.close({ deadline: '5s' });
await store.close();
process.exit();

async function produce(signal: AbortSignal): Promise<void> {
  for (;;)
    try {
      signal.throwIfAborted();
      const id = await store.claimRandom();
      if (id === undefined) await pause(IDLE_MS, undefined, { signal });
      else await publish(id, signal);
    } catch (error) {
      if (signal.aborted) return;
      console.error('producer:', error);
      await pause(FAILED_MS, undefined, { signal }).catch(() => undefined);
    }
}

/** Until the broker confirms. A message that comes twice finds that its task has ended, and is dropped. */
async function publish(id: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    const { error } = await publisher.tryPublish('task', { id }, { id });
    if (error === undefined) break;
    console.error('producer:', error.message);
    await pause(FAILED_MS, undefined, { signal });
  }
  await store.markPublished(id);
}
