/** A broker for one command, gone with it. */
import { resolve } from 'node:path';
import { freePorts, type Stack, startStack } from '@fit/stack';

/** A broker alone; what is measured shares it, each in a fresh virtual host. */
export async function onOwnBroker<Result>(
  work: (stack: Stack) => Promise<Result>,
): Promise<Result> {
  const name = `bench-${process.pid}`;
  const stack = await startStack({
    name,
    ports: await freePorts(),
    services: ['rabbitmq'],
    folder: resolve(import.meta.dirname, `../../../../.stack/${name}`),
    endsOnSignal: true,
  });
  try {
    return await work(stack);
  } finally {
    await stack.stop({ purge: true });
  }
}
