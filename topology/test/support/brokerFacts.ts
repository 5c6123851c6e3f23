/** What is known of each line of RabbitMQ, in one place: the same tests run on all of them (`npm run conformance`). */
import { askManagement } from '@fit/stack/testing';
import { isAtLeast } from '../../src/plan/brokerProfile.ts';
import type { BrokerSeries } from './deathHeaders.ts';

/** As the broker says, such as '4.3.6'. */
export async function brokerVersion(): Promise<string> {
  const overview = (await askManagement({ method: 'GET', path: '/api/overview' })) as {
    rabbitmq_version: string;
  };
  return overview.rabbitmq_version;
}

export interface BrokerFacts {
  /** Whose fixtures hold (`deathHeaders.ts`). */
  readonly line: BrokerSeries;
  readonly hasNativeRetry: boolean;
  readonly hasPriorities: boolean;
  /** A final death after a rejection takes further tiers, since only the first death is told; it is not lost. */
  readonly finalDeathTakesTiers: boolean;
  /** x-death that a client sends is continued. */
  readonly continuesForgedDeaths: boolean;
  /** What ends with a message that is never settled; either way its deliveries are stale, and it is given to somebody. */
  readonly ackTimeoutEnds: 'channel' | 'consumer';
}

export async function brokerFacts(): Promise<BrokerFacts> {
  const broker = { version: await brokerVersion(), hasManagement: true };
  const isOld = !isAtLeast(broker, '4.0.0');
  return {
    line: isOld ? '3.10.8' : isAtLeast(broker, '4.3.0') ? '4.3.6' : '4.0.5',
    hasNativeRetry: isAtLeast(broker, '4.3.1'),
    hasPriorities: !isOld,
    finalDeathTakesTiers: !isAtLeast(broker, '3.13.0'),
    continuesForgedDeaths: isOld,
    ackTimeoutEnds: isAtLeast(broker, '4.3.0') ? 'consumer' : 'channel',
  };
}
