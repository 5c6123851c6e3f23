/** Declarations that the tests share: the reference shape of the design, and random ones. */
import { type Declaration, declareTopology } from '@fit/topology';
import fc from 'fast-check';

export const DEFAULT = declareTopology({
  exchange: 'jobs',
  kinds: {
    createWod: { key: 'job.createWod', queue: 'createWodQueue', tiers: ['5s', '30s', '120s'] },
  },
});

export const ASSIGNMENT = declareTopology({
  exchange: 'jobs',
  kinds: {
    createWod: {
      key: 'job.createWod',
      queue: 'createWodQueue',
      tiers: ['5s', '30s', '120s'],
      maxLength: 100,
      messageTtl: '60s',
      unsafe: ['drop-head'],
    },
  },
});

/** An event with two subscribers, one of them by a pattern, and a subscriber of everything. */
export const FAN_OUT = declareTopology({
  exchange: 'shop',
  hasFanOut: true,
  kinds: {
    invoices: { key: 'order.created', queue: 'invoices', tiers: ['5s', '30s'] },
    mails: {
      key: 'order.created',
      keys: ['order.created', 'order.*', 'user.created'],
      queue: 'mails',
      tiers: ['1s', '2s', '3s'],
    },
    audit: { key: 'order.created', keys: ['#'], queue: 'audit', tiers: ['5s'] },
  },
});

/** A fan-out with delays before the first delivery. */
export const DELAYED = declareTopology({
  exchange: 'shop',
  hasFanOut: true,
  delays: ['10s', '1h'],
  kinds: {
    invoices: { key: 'order.created', queue: 'invoices', tiers: ['5s', '30s'] },
    audit: { key: 'order.created', keys: ['#'], queue: 'audit', tiers: ['5s'] },
  },
});

/** Waits with jitter, one queue bound by patterns, beside a queue without. */
export const JITTERED = declareTopology({
  exchange: 'shop',
  hasFanOut: true,
  kinds: {
    invoices: { key: 'order.created', queue: 'invoices', tiers: ['5s', '30s'], jitter: 0.2 },
    mails: { key: 'order.created', keys: ['order.*'], queue: 'mails', tiers: ['1s'], jitter: 1 },
    audit: { key: 'order.created', keys: ['#'], queue: 'audit', tiers: ['5s'] },
  },
});

const randomKind = fc.record({
  tierCount: fc.integer({ min: 1, max: 6 }),
  firstMs: fc.integer({ min: 1, max: 10_000 }),
  stepMs: fc.integer({ min: 1, max: 100_000 }),
  spareCount: fc.integer({ min: 1, max: 20 }),
  maxLength: fc.integer({ min: 1, max: 1_000_000 }),
  isAssignment: fc.boolean(),
  jitter: fc.constantFrom(0, 0.5, 1),
  isNamed: fc.boolean(),
});

/** One to four kinds with different names and any tiers. */
export const randomDeclaration: fc.Arbitrary<Declaration> = fc
  .tuple(
    fc.uniqueArray(fc.stringMatching(/^[a-z][a-zA-Z0-9_-]{0,20}$/), { minLength: 1, maxLength: 4 }),
    fc.array(randomKind, { minLength: 4, maxLength: 4 }),
  )
  .map(([names, kinds]) =>
    declareTopology({
      exchange: 'jobs.all',
      kinds: Object.fromEntries(
        names.map((name, index) => [name, kindOf(name, kinds[index]!)] as const),
      ),
    }),
  );

export const randomBroker = fc.record({
  version: fc.constantFrom('3.10.8', '3.12.14', '3.13.7', '4.0.5', '4.3.6'),
  hasManagement: fc.boolean(),
});

type RandomKind = typeof randomKind extends fc.Arbitrary<infer Kind> ? Kind : never;

function kindOf(name: string, random: RandomKind) {
  const { tierCount, firstMs, stepMs, spareCount, maxLength, isAssignment, jitter, isNamed } =
    random;
  return {
    key: `job.${name}`,
    queue: `${name}Queue`,
    tiers: Array.from({ length: tierCount }, (_, index) => firstMs + index * stepMs),
    maxLength,
    crashLimit: tierCount + spareCount,
    jitter: firstMs < 10 ? 0 : jitter,
    ...(isNamed ? { names: { wait: `${name}.again.{n}`, dead: `${name}.failed` } } : {}),
    ...(isAssignment ? { messageTtl: 60_000, unsafe: ['drop-head'] as const } : {}),
  };
}
