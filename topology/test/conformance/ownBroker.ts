/** A broker of one test file's own, of the release that is tested: it can be killed without harm to other tests. */
import { after, before } from 'node:test';
import { type BrokerSuite, freePorts, type Stack, startStack } from '@fit/stack';

/** Its data survives a kill. A message that awaits transfer is offered again after 3 s instead of 180, and queues are counted every second instead of every fifth. */
const HURRY = { dead_letter_worker_publisher_confirm_timeout: 3_000, quorum_tick_interval: 1_000 };

export interface OwnBroker {
  /** Running from the first test of the file to its last. */
  readonly stack: Stack;
}

/**
 * Benches of this file are on it: it takes the place of the given one in the environment.
 * @param settings of the broker's application `rabbit`, by name.
 */
export function useOwnBroker(settings: Readonly<Record<string, number>> = {}): OwnBroker {
  const given = { ...process.env };
  const own: { stack?: Stack } = {};
  before(async () => {
    const stack = await startStack({
      name: `own-${process.pid}`,
      ports: await freePorts(),
      servers: ['rabbitmq'],
      brokerSuite: (process.env['FIT_TEST_BROKER_SUITE'] ?? 'sid') as BrokerSuite,
      brokerSettings: { ...HURRY, ...settings },
    });
    own.stack = stack;
    const management = new URL(stack.managementUrl!);
    Object.assign(management, { username: 'guest', password: 'guest' });
    process.env['FIT_TEST_AMQP_URL'] = stack.amqpUrl;
    process.env['FIT_TEST_MANAGEMENT_URL'] = management.href;
  });
  after(async () => {
    Object.assign(process.env, given);
    await own.stack?.stop({ purge: true });
  });
  return {
    get stack() {
      if (own.stack === undefined) throw new Error('it runs only while tests do');
      return own.stack;
    },
  };
}
