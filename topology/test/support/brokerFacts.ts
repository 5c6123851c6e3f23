/** Differences between release series of RabbitMQ: the same tests run on all of them (`npm run conformance`). */
import { askManagement } from '@fit/stack/testing';
import { isAtLeast } from '../../src/plan/brokerProfile.ts';
import type { BrokerSeries } from './deathHeaders.ts';

/** @returns the version that the broker reports, such as '4.3.6'. */
export async function brokerVersion(): Promise<string> {
  const overview = (await askManagement({ method: 'GET', path: '/api/overview' })) as {
    rabbitmq_version: string;
  };
  return overview.rabbitmq_version;
}

export interface BrokerFacts {
  /** Release series whose headers it writes (`deathHeaders.ts`). */
  readonly series: BrokerSeries;
  readonly hasNativeRetry: boolean;
  readonly hasPriorities: boolean;
  /** Before 3.13 a message that was delayed before its first delivery would take a rejection for an expiry. */
  readonly delaysFirstDelivery: boolean;
  /** A final death after a rejection goes through further tiers, because only the reason of the first death is written; no message is lost. */
  readonly finalDeathTakesTiers: boolean;
  /** The broker continues x-death that a client sends. */
  readonly continuesForgedDeaths: boolean;
  /** What the broker ends when a message is never settled. Either way its delivery can no longer be settled, and it is delivered again. */
  readonly ackTimeoutEnds: 'channel' | 'consumer';
}

export async function brokerFacts(): Promise<BrokerFacts> {
  const broker = { version: await brokerVersion(), hasManagement: true };
  const isOld = !isAtLeast(broker, '4.0.0');
  return {
    series: isOld ? '3.10.8' : isAtLeast(broker, '4.3.0') ? '4.3.6' : '4.0.5',
    hasNativeRetry: isAtLeast(broker, '4.3.1'),
    hasPriorities: !isOld,
    delaysFirstDelivery: isAtLeast(broker, '3.13.0'),
    finalDeathTakesTiers: !isAtLeast(broker, '3.13.0'),
    continuesForgedDeaths: isOld,
    ackTimeoutEnds: isAtLeast(broker, '4.3.0') ? 'consumer' : 'channel',
  };
}
