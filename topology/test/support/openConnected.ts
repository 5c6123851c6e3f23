/** A virtual host of its own, a connection to it that records its events, and a publisher of a topology on it. */
import { eventually, type Teardown, testBroker } from '@fit/stack/testing';
import {
  type AnyTopology,
  createConnection,
  createPublisher,
  type TopologyEvent,
} from '@fit/topology';
import { Inspector } from '@fit/topology/amqp';

export async function openConnected<const T extends AnyTopology>(t: Teardown, topology: T) {
  const { amqpUrl, vhost } = await testBroker(t);
  const events: TopologyEvent[] = [];
  const connection = await createConnection({
    url: amqpUrl,
    logger: false,
    hooks: { onEvent: (event) => events.push(event) },
  });
  t.after(async () => {
    await connection.close({ deadline: 0 });
  });
  const publisher = await createPublisher({ connection, topology });
  const inspector = await Inspector.open({ url: amqpUrl, label: 'test inspects' });
  t.after(() => inspector.close());
  const readyIn = async (queue: string) => (await inspector.depthOf(queue)).readyCount;
  const expectReady = async (queue: string, count: number) => {
    await eventually(async () => (await readyIn(queue)) === count, {
      describe: async () => `${queue}: ${await readyIn(queue)} ready, ${count} wanted`,
    });
  };
  const on = { connection, topology };
  return { amqpUrl, vhost, connection, publisher, events, on, readyIn, expectReady };
}
