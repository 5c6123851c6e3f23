/** Messages and queues in, a validated and proved topology out. Nothing here does I/O. */

import { type Declaration, declareTopology } from '../declaration/declareTopology.ts';
import type { Duration } from '../declaration/duration.ts';
import { frozenCopy } from '../declaration/freezeDeeply.ts';
import { isPattern } from '../declaration/keyPattern.ts';
import type { Backend, KindOptions, Load, QueueNames, Unsafe } from '../declaration/kindOptions.ts';
import { priorityNumber } from '../declaration/priorities.ts';
import { type Fault, fault, TopologyError } from '../errors.ts';
import { isTierKey } from '../plan/names.ts';
import { planTopology } from '../plan/planTopology.ts';
import { provePlan } from '../proof/provePlan.ts';
import { isSchema, type MessageName, type Messages, namesOn } from './messages.ts';

/** A pattern of message names, as a topic exchange compares them: `order.*` one word, `order.#` any number of words. */
export type KeyPattern = `${string}${'*' | '#'}${string}`;

/** Waits between attempts. It is data, so it can be planned, proved and drawn; decisions by error live in the worker. */
export interface RetryPolicy {
  /**
   * Repeats in the same worker, at once, before the first wait; default 0; at most 10. They share the deadline of the
   * first attempt, and a crash of the worker ends them.
   */
  readonly immediate?: number;
  /** One wait queue each, one to ten; n delays make n + 1 rounds. Listed by hand, or made by `exponential`, `linear`, `fixed`. */
  readonly delays: readonly Duration[];
  /**
   * Share of each delay, above 0 and at most 1, by which waits are lengthened, so that messages that fail together come back
   * apart: a third waits the delay, a third half of the share longer, a third the whole share longer; a message keeps its
   * third. Each delay becomes three wait queues. Default none. Not with the back end `native`.
   */
  readonly jitter?: number;
}

/** One subscriber: its own queue, waits and dead letters. Two queues with the same message are a fan-out. */
export interface QueueOptions<M extends Messages = Messages> {
  /** Names of messages, and patterns of names; at least one. */
  readonly on: readonly (MessageName<M> | KeyPattern)[];
  /** Waits between attempts. */
  readonly retry: RetryPolicy;
  /** Longest time of one attempt; default 60 s; below 30 minutes, after which the broker requeues an unsettled message. */
  readonly deadline?: Duration;
  /** Ready messages before the queue refuses more (max-length); default 10,000. */
  readonly maxLength?: number;
  /**
   * Crashes of a worker that a message survives (delivery-limit); the next one dead-letters it. Default 5, or the number of
   * attempts where that is higher.
   */
  readonly crashLimit?: number;
  /** Time after which a message that no worker took is dead-lettered as expired. Default none. */
  readonly messageTtl?: Duration;
  /** Expected load; it is checked that returning messages alone cannot fill the queue. Default: not checked. */
  readonly load?: Load;
  /** What may be lost. Default none. */
  readonly unsafe?: readonly Unsafe[];
  /** Name of the queue on the broker, where it is not the name in `queues`: for a queue that exists already. */
  readonly adopt?: string;
  /**
   * Names of two to five priorities for `publish`, from lowest to highest, such as `['low', 'normal', 'high']`. A message
   * keeps its priority in retries and dead letters; without one it has the middle level, of an even number the lower of the
   * two in the middle. Two need RabbitMQ 4.0, more need 4.3. Default none.
   */
  readonly priorities?: readonly string[];
  /** Names of the wait queues and of the dead-letter queue, where they must be others than the default ones. */
  readonly names?: QueueNames;
}

/** Queues by name; a name is that of the queue on the broker. */
export type Queues<M extends Messages = Messages> = Readonly<Record<string, QueueOptions<M>>>;

/** What a topology is made of. */
export interface DefineOptions<
  M extends Messages,
  Q extends Queues<M>,
  D extends readonly Duration[] = readonly Duration[],
> {
  /** Topic exchange that all messages are published to. */
  readonly exchange: string;
  /** Name, which is the routing key, and schema of the body; at least one. */
  readonly messages: M;
  /** At least one; every message needs a queue. */
  readonly queues: Q;
  /**
   * Delays that `publish` may be given, at most ten, for all messages; each is one more queue. They need RabbitMQ 3.13.
   * Default none.
   */
  readonly delays?: D;
  /** Who delays: see `Backend`. Default `tiers`. */
  readonly backend?: Backend;
}

/** A validated, frozen topology: for publishers, workers, the simulator, and by its declaration for the command line. */
export interface Topology<M extends Messages = Messages, Q = Queues, D = readonly Duration[]> {
  /** Topic exchange that all messages are published to. */
  readonly exchange: string;
  /** As given. */
  readonly messages: M;
  /** As given. */
  readonly queues: Q;
  /** Delays that `publish` may be given. */
  readonly delays: D;
  /** What the planner, the prover and the command line use: one kind for each queue, of the same name. */
  readonly declaration: Declaration;
}

/** A topology of any messages and queues. */
export type AnyTopology = Topology<Messages, unknown>;

/** The names of `Given` that are none of `Known`, as options that nothing can be given for. */
export type NoneBut<Given, Known> = Readonly<Record<Exclude<keyof Given, keyof Known>, never>>;

/** A misspelt option does not compile: inference alone would let it pass. */
export interface NoExtraOptions<Q> {
  readonly queues: {
    readonly [K in keyof Q]: NoneBut<Q[K], QueueOptions> &
      (Q[K] extends { readonly retry: infer Retry }
        ? { readonly retry: NoneBut<Retry, RetryPolicy> }
        : unknown) &
      (Q[K] extends { readonly names: infer Names }
        ? { readonly names: NoneBut<Names, QueueNames> }
        : unknown);
  };
}

/** The newest release that plans differ for: what is wrong for it is wrong whatever the broker is. */
const PROVED_FOR = { version: '4.3.6', hasManagement: true };

const OPTIONS = {
  topology: ['exchange', 'messages', 'queues', 'delays', 'backend'],
  queue: [
    'on',
    'retry',
    'deadline',
    'maxLength',
    'crashLimit',
    'messageTtl',
    'load',
    'unsafe',
    'adopt',
    'names',
    'priorities',
  ],
  retry: ['immediate', 'delays', 'jitter'],
} as const satisfies {
  topology: readonly (keyof DefineOptions<Messages, Queues>)[];
  queue: readonly (keyof QueueOptions)[];
  retry: readonly (keyof RetryPolicy)[];
};

const DEFAULT_CRASH_LIMIT = 5;
const MOST_IMMEDIATE = 10;

/**
 * Validates, plans and proves. The plan is proved again for the broker that it is asserted on.
 * @returns a topology that is frozen with all its parts, but for the schemas, which are the caller's.
 * @throws TopologyError `DECLARATION_INVALID` or `PLAN_REFUSED` with every fault: code, subject, remedy.
 */
export function defineTopology<
  const M extends Messages,
  const Q extends Queues<NoInfer<M>>,
  const D extends readonly Duration[] = readonly [],
>(options: DefineOptions<M, Q, D> & NoExtraOptions<Q>): Topology<M, Q, D> {
  // A program in JavaScript may pass anything; the checks below name what is missing.
  const given = Object(options) as Partial<DefineOptions<Messages, Queues>>;
  const messages = Object(given.messages) as Messages;
  const queues = Object(given.queues) as Queues;
  const faults = [
    ...unknownOptions('', given, OPTIONS.topology),
    ...messageFaults(messages, queues),
    ...Object.entries(queues).flatMap(([name, queue]) => queueFaults(name, queue, messages)),
    ...priorityConflicts(messages, queues),
  ];
  const declaration = declare(given, faults);
  if (faults.length > 0 || declaration === undefined)
    throw new TopologyError('DECLARATION_INVALID', faults);
  provePlan(declaration, planTopology(declaration, PROVED_FOR));
  return Object.freeze({
    exchange: declaration.exchange,
    messages: Object.freeze({ ...messages }) as M,
    queues: frozenCopy(queues) as unknown as Q,
    delays: Object.freeze([...(given.delays ?? [])]) as unknown as D,
    declaration,
  });
}

/** @returns undefined if the declaration has faults, which are added to those that were found before. */
function declare(
  given: Partial<DefineOptions<Messages, Queues>>,
  faults: Fault[],
): Declaration | undefined {
  const queues = Object.entries(Object(given.queues) as Queues);
  const kinds = queues.map(([name, queue]) => [name, kindOptionsOf(name, queue, given)] as const);
  try {
    return declareTopology({
      exchange: given.exchange ?? '',
      hasFanOut: true,
      ...(given.delays === undefined ? {} : { delays: given.delays }),
      kinds: Object.fromEntries(kinds),
    });
  } catch (error) {
    if (!(error instanceof TopologyError)) throw error;
    faults.push(...error.faults.map(inWordsOfQueues));
    return undefined;
  }
}

/** What a fault of a kind is called where the owner declared a queue. */
function inWordsOfQueues({ code, subject, remedy }: Fault): Fault {
  if (code === 'NO_KIND') return fault(code, 'queues', 'declare at least one queue');
  const renamed = subject.replace(/[.](keys|tiers|queue)(?=$|\[)/, (_, option: string) =>
    option === 'keys' ? '.on' : option === 'tiers' ? '.retry.delays' : '',
  );
  return fault(code, renamed, remedy);
}

function kindOptionsOf(
  name: string,
  queue: QueueOptions,
  { messages = {}, backend }: Partial<DefineOptions<Messages, Queues>>,
): KindOptions {
  const { on, retry, adopt, names, crashLimit, deadline, maxLength, messageTtl, load, unsafe } =
    Object(queue) as Partial<QueueOptions>;
  const { priorities } = Object(queue) as Partial<QueueOptions>;
  const keys = Array.isArray(on) ? (on as readonly string[]) : [];
  const { delays, jitter } = Object(retry) as Partial<RetryPolicy>;
  const attempts = (Array.isArray(delays) ? delays.length : 0) + 1;
  const [key] = namesOn(keys, Object.keys(messages));
  return {
    // A queue without a message is a fault of its own, and needs no second one for its key.
    key: key ?? name,
    ...(key === undefined ? {} : { keys }),
    queue: adopt ?? name,
    ...(names === undefined ? {} : { names }),
    ...(priorities === undefined ? {} : { priorities }),
    tiers: delays ?? [],
    tierOrder: 'any',
    ...(jitter === undefined ? {} : { jitter }),
    crashLimit: crashLimit ?? Math.max(DEFAULT_CRASH_LIMIT, attempts),
    ...(deadline === undefined ? {} : { deadline }),
    ...(maxLength === undefined ? {} : { maxLength }),
    ...(messageTtl === undefined ? {} : { messageTtl }),
    ...(load === undefined ? {} : { load }),
    ...(unsafe === undefined ? {} : { unsafe }),
    ...(backend === undefined ? {} : { backend }),
  };
}

const MESSAGE_NAME = /^[A-Za-z0-9_-]+(?:[.][A-Za-z0-9_-]+)*$/;
const LONGEST_NAME = 100;

function messageFaults(messages: Messages, queues: Queues): Fault[] {
  const names = Object.keys(messages);
  if (names.length === 0)
    return [fault('NO_MESSAGE', 'messages', 'declare at least one message with its schema')];
  const heard = new Set(Object.values(queues).flatMap((queue) => namesOn(onOf(queue), names)));
  return names.flatMap((name) => [
    ...(MESSAGE_NAME.test(name) && name.length <= LONGEST_NAME
      ? []
      : [
          fault(
            'NAME_INVALID',
            `messages.${name}`,
            `must be words of letters, digits, '_', '-' between dots, at most ${LONGEST_NAME} characters`,
          ),
        ]),
    ...(isSchema(messages[name])
      ? []
      : [
          fault(
            'SCHEMA_INVALID',
            `messages.${name}`,
            'is no Standard Schema; give one of Zod, Valibot or ArkType, or adapt one of TypeBox by fromTypeBox of @fit/topology/typebox',
          ),
        ]),
    ...(heard.has(name) || Object.keys(queues).length === 0
      ? []
      : [
          fault(
            'MESSAGE_WITHOUT_QUEUE',
            `messages.${name}`,
            'every publish of it would be returned; add it to `on` of a queue',
          ),
        ]),
  ]);
}

function onOf(queue: QueueOptions): readonly string[] {
  const { on } = Object(queue) as Partial<QueueOptions>;
  return Array.isArray(on)
    ? (on as readonly unknown[]).filter((one) => typeof one === 'string')
    : [];
}

function queueFaults(name: string, queue: QueueOptions, messages: Messages): Fault[] {
  const { retry, adopt } = Object(queue) as Partial<QueueOptions>;
  const on = onOf(queue);
  const nothingOn = "give names of messages or patterns, such as 'order.*'";
  return [
    ...unknownOptions(`${name}.`, queue, OPTIONS.queue),
    ...unknownOptions(`${name}.retry.`, retry, OPTIONS.retry),
    ...immediateFaults(name, retry),
    ...(on.length === 0 ? [fault('NO_MESSAGE', `${name}.on`, nothingOn)] : []),
    ...namesOn(on, Object.keys(messages))
      .filter((message) => isTierKey(adopt ?? name, message))
      .map((message) =>
        fault(
          'KEY_RESERVED',
          `messages.${message}`,
          `is a key of the waits of queue ${adopt ?? name}, which gets it; choose another name`,
        ),
      ),
    ...on.flatMap((key, index) =>
      namesOn([key], Object.keys(messages)).length > 0
        ? []
        : [
            fault(
              'MESSAGE_UNKNOWN',
              `${name}.on[${index}]`,
              `'${key}' ${isPattern(key) ? 'matches' : 'is'} none of the messages ${Object.keys(messages).join(', ')}`,
            ),
          ],
    ),
  ];
}

/** A message has one AMQP priority for all its queues, so a name must not mean two numbers. */
function priorityConflicts(messages: Messages, queues: Queues): Fault[] {
  return Object.keys(messages).flatMap((message) => {
    const lists = Object.values(queues)
      .filter((queue) => namesOn(onOf(queue), [message]).length > 0)
      .flatMap(({ priorities }) => (Array.isArray(priorities) ? [priorities as string[]] : []));
    return [...new Set(lists.flat())]
      .filter((name) => new Set(lists.flatMap((list) => priorityNumber(list, name) ?? [])).size > 1)
      .map((name) =>
        fault(
          'PRIORITY_CONFLICT',
          `messages.${message}`,
          `'${name}' is at different distances from the default level in its queues; give them the same priorities`,
        ),
      );
  });
}

function immediateFaults(name: string, retry: RetryPolicy | undefined): Fault[] {
  const { immediate = 0 } = Object(retry) as Partial<RetryPolicy>;
  if (Number.isInteger(immediate) && immediate >= 0 && immediate <= MOST_IMMEDIATE) return [];
  const remedy = `${immediate} must be a whole number from 0 to ${MOST_IMMEDIATE}`;
  return [fault('COUNT_OUT_OF_RANGE', `${name}.retry.immediate`, remedy)];
}

/** The compiler does not see options from JavaScript or a file, where a misspelt one would silently be its default. */
function unknownOptions(prefix: string, options: unknown, known: readonly string[]): Fault[] {
  return Object.keys(Object(options) as object)
    .filter((name) => !known.includes(name))
    .map((name) => fault('OPTION_UNKNOWN', `${prefix}${name}`, `is none of ${known.join(', ')}`));
}
