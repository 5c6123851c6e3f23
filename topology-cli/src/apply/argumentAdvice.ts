/** What it takes to adopt a queue that exists with other arguments, which RabbitMQ never changes. No I/O. */
import { formatDuration, type QueuePlan } from '@fit/topology';
import type { LiveQueue } from '@fit/topology/management';

/** One argument of a queue that is not as planned. */
export interface ArgumentAdvice {
  /** Name of the argument; `durable` and `auto-delete` are none, but are compared as well. */
  readonly name: string;
  /** Null if nothing is planned. */
  readonly planned: unknown;
  /** Null if the queue has no such argument. */
  readonly live: unknown;
  /** What to declare so that the queue is as planned; undefined if no declaration has this argument. */
  readonly declare: string | undefined;
  /** What would happen with the argument as it is. */
  readonly effect: string;
}

/** @returns one advice for each name. @param names arguments that differ. */
export function adviseArguments(
  planned: QueuePlan,
  found: Pick<LiveQueue, 'arguments' | 'isDurable' | 'isAutoDelete'>,
  names: readonly string[],
): ArgumentAdvice[] {
  const live: Readonly<Record<string, unknown>> = {
    ...found.arguments,
    durable: found.isDurable,
    'auto-delete': found.isAutoDelete,
  };
  const wanted: Readonly<Record<string, unknown>> = {
    ...planned.arguments,
    durable: true,
    'auto-delete': false,
  };
  return names.map((name) => {
    const value = live[name];
    const advise = ADVICE[planned.role][name];
    return {
      name,
      planned: wanted[name] ?? null,
      live: value ?? null,
      declare: advise?.(value),
      effect: EFFECTS[name] ?? 'the proofs do not know what it does',
    };
  });
}

const WITH_MANAGEMENT = 'a managementUrl in all processes, so that limits are policies';
const WITHOUT_MANAGEMENT =
  'and in all processes no managementUrl, with --no-management for topology diff and apply';

type Advise = (live: unknown) => string | undefined;

/** What to declare for a value of an argument of a main queue; undefined where nothing helps. */
const ADVICE_OF_MAIN: Readonly<Record<string, Advise>> = {
  'x-message-ttl': (live) =>
    typeof live === 'number' ? `messageTtl: '${formatDuration(live)}'` : 'no messageTtl',
  'x-overflow': (live) => (live === 'drop-head' ? "unsafe: ['drop-head']" : undefined),
  // With drop-head nothing is dead-lettered at least once, so both arguments go together.
  'x-dead-letter-strategy': (live) => (live === undefined ? "unsafe: ['drop-head']" : undefined),
  'x-max-length': (live) => limitAdvice('maxLength', live),
  'x-delivery-limit': (live) => limitAdvice('crashLimit', live),
  'x-delayed-retry-type': backendAdvice,
  'x-delayed-retry-min': backendAdvice,
  'x-delayed-retry-max': backendAdvice,
};

const ADVICE: Readonly<Record<QueuePlan['role'], Readonly<Record<string, Advise>>>> = {
  main: ADVICE_OF_MAIN,
  wait: {},
  dlq: {
    'x-delivery-limit': (live) => {
      if (live === -1) return `the same limits, ${WITHOUT_MANAGEMENT}`;
      return live === undefined ? WITH_MANAGEMENT : undefined;
    },
  },
};

function limitAdvice(option: string, live: unknown): string | undefined {
  if (live === undefined) return WITH_MANAGEMENT;
  return typeof live === 'number' && live > 0
    ? `${option}: ${live}, ${WITHOUT_MANAGEMENT}`
    : undefined;
}

function backendAdvice(live: unknown): string {
  return live === undefined ? "backend: 'tiers'" : "backend: 'native' with the same delays";
}

const NOT_RETRIED = 'rejected messages would not go to the wait queues';
const EFFECTS: Readonly<Record<string, string>> = {
  'x-queue-type': 'a classic queue loses dead letters and counts no crashes',
  'x-dead-letter-exchange': NOT_RETRIED,
  'x-dead-letter-routing-key': 'every attempt would have one key, so nobody could count them',
  'x-dead-letter-strategy': 'a broker that is killed would lose messages on their way to a wait',
  'x-overflow': 'a full queue would drop its oldest messages',
  'x-message-ttl': 'messages would expire at another time than declared',
  'x-max-length': 'the limit would be another one than declared',
  'x-max-length-bytes': 'publishes would be refused by a limit that is not declared',
  'x-delivery-limit': 'messages would die after another number of crashes than declared',
  'x-delayed-retry-type': 'the broker would delay retries by other rules than declared',
  'x-delayed-retry-min': 'retries would wait for another time than declared',
  'x-delayed-retry-max': 'retries would wait for another time than declared',
  'x-expires': 'the broker would delete the queue with its messages when nobody uses it',
  'x-single-active-consumer': 'only one worker at a time would get messages',
  durable: 'the queue would be lost with its broker',
  'auto-delete': 'the queue would be deleted with its last consumer',
};
