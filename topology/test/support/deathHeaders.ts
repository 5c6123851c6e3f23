/** Headers that three releases write on a message with three tiers that is rejected each time (measured). */
export type BrokerSeries = '3.10.8' | '4.0.5' | '4.3.6';
export const BROKER_SERIES: readonly BrokerSeries[] = ['3.10.8', '4.0.5', '4.3.6'];

const QUEUE = 'createWodQueue';

/** One record as amqplib decodes it; time and keys are those of the first such death. */
function record(queue: string, reason: string, count: number): object {
  return {
    queue,
    reason,
    count,
    time: { '!': 'timestamp', value: 1_700_000_000 },
    exchange: 'jobs',
    'routing-keys': ['job.createWod'],
  };
}

const WAITS = ['1.5s', '2.30s', '3.2m'];
const wait = (tier: number) => record(`${QUEUE}.wait.${WAITS[tier - 1]}`, 'expired', 1);
const main = (count: number) => record(QUEUE, 'rejected', count);
const first = { 'x-first-death-queue': QUEUE, 'x-first-death-reason': 'rejected' };
const last = (queue: string, reason: string) => ({
  'x-last-death-queue': queue,
  'x-last-death-reason': reason,
});

/** At the fourth delivery. */
export const FOURTH_DELIVERY: Readonly<Record<BrokerSeries, Record<string, unknown>>> = {
  '3.10.8': { ...first, 'x-death': [wait(3), wait(2), wait(1), main(3)], 'x-delivery-count': 0 },
  '4.0.5': {
    ...first,
    ...last(`${QUEUE}.wait.3.2m`, 'expired'),
    'x-delivery-count': 3,
    'x-death': [wait(3), main(3), wait(2), wait(1)],
  },
  '4.3.6': {
    ...first,
    ...last(`${QUEUE}.wait.3.2m`, 'expired'),
    'x-death': [wait(3), main(3), wait(2), wait(1)],
  },
};

/** In the dead-letter queue, after the fourth rejection. */
export const EXHAUSTED: Readonly<Record<BrokerSeries, Record<string, unknown>>> = {
  '3.10.8': { ...first, 'x-death': [main(4), wait(1), wait(2), wait(3)] },
  '4.0.5': {
    ...first,
    ...last(QUEUE, 'rejected'),
    'x-delivery-count': 4,
    'x-death': [main(4), wait(3), wait(2), wait(1)],
  },
  '4.3.6': {
    ...first,
    ...last(QUEUE, 'rejected'),
    'x-death': [main(4), wait(3), wait(2), wait(1)],
  },
};

/** Headers of a message that died once, before any rejection: by a crash, by expiry or by overflow. */
export function diedOnce(
  series: BrokerSeries,
  queue: string,
  reason: string,
): Record<string, unknown> {
  return {
    'x-first-death-queue': queue,
    'x-first-death-reason': reason,
    ...(series === '3.10.8' ? {} : last(queue, reason)),
    'x-death': [record(queue, reason, 1)],
  };
}
