/** How a worker reaches its broker: over AMQP, or in memory where a simulation runs the worker. */
import {
  Consumer,
  type ConsumerOptions,
  type Delivery,
  type PublishEnd,
  Publisher,
} from '../amqp/index.ts';
import { type AssertMode, TopologyMaintainer } from '../assert/index.ts';
import { notesName } from '../plan/names.ts';
import type { TopologyPlan } from '../plan/topologyPlan.ts';
import { type Clock, SYSTEM_CLOCK } from './clock.ts';
import type { QueueWorkerOptions } from './queueWorkerOptions.ts';

/** The part of `Consumer` that a worker needs; in a simulation nothing refuses, so there is nothing to wait for. */
export type LinkConsumer = {
  /** Resolves when the latest pull was answered or its channel is lost; undefined where no broker is asked. */
  readonly pulled: () => Promise<void> | undefined;
} & Pick<
  Consumer,
  | 'isUp'
  | 'isPaused'
  | 'unsettledCount'
  | 'unsettledIds'
  | 'oldestReceivedAtMs'
  | 'setPrefetch'
  | 'pull'
  | 'drain'
  | 'close'
  | 'refusal'
>;

/** The part of `Publisher` that a worker needs. */
export type LinkPublisher = Pick<
  Publisher,
  'isUp' | 'isBlocked' | 'pendingCount' | 'publish' | 'close'
>;

/** What a worker wants to be told. */
export interface LinkCallbacks {
  /** Name of the worker. */
  readonly workerId: string;
  /** Queue to consume. */
  readonly queue: string;
  /** The plan was asserted: before the first delivery, and again on each new connection. */
  readonly onPlan: (plan: TopologyPlan) => void;
  /** As `ConsumerOptions.onOpen`. */
  readonly onOpen: () => void;
  /** As `ConsumerOptions.onLost`. */
  readonly onLost: (deliveries: readonly Delivery[]) => void;
  /** As `ConsumerOptions.onChange`. */
  readonly onChange: (settled?: Delivery) => void;
  /** As `ConsumerOptions.onDelivery`. */
  readonly onDelivery: (delivery: Delivery) => void;
}

/** Opens what a worker consumes with and publishes with. */
export interface WorkerLink {
  /** The clock of deadlines and pauses. */
  readonly clock: Clock;
  /** As `QueueWorker.topologyFault`. */
  readonly topologyFault: string | undefined;
  /** Opens the publisher of dead letters and of messages for a later tier. */
  openPublisher(callbacks: LinkCallbacks): Promise<LinkPublisher>;
  /** Opens the consumer with a prefetch of 0: messages are pulled one by one at first, see `Quarantine`. */
  openConsumer(callbacks: LinkCallbacks): Promise<LinkConsumer>;
}

/**
 * @returns the plan whose exchanges a publisher takes to exist; undefined if nothing was declared: a publish to a missing
 * exchange would close the channel, with all that is unconfirmed on it.
 */
export function declaredObjects(
  plan: TopologyPlan,
  assert: AssertMode = 'create',
): TopologyPlan | undefined {
  return assert === 'create' ? plan : undefined;
}

/** What the link of a worker to a broker is made of. */
export interface BrokerLinkParts {
  readonly maintainer: TopologyMaintainer;
  readonly assert: AssertMode | undefined;
  readonly onPublish: ((end: PublishEnd) => void) | undefined;
  /** Where to connect, or what is connected already. */
  readonly placeOf: (
    purpose: 'publish' | 'consume',
    workerId: string,
  ) => Pick<ConsumerOptions, 'label' | 'onEvent' | 'session' | 'url'>;
}

/**
 * @returns a link of two connections, because an alarm of the broker blocks a publishing connection, and acks must not be
 * blocked with it.
 */
export function linkOf({ maintainer, assert, onPublish, placeOf }: BrokerLinkParts): WorkerLink {
  return {
    clock: SYSTEM_CLOCK,
    get topologyFault() {
      return maintainer.fault;
    },
    openPublisher: ({ workerId, queue, onPlan }) =>
      Publisher.open({
        ...placeOf('publish', workerId),
        ...(onPublish === undefined ? {} : { onPublish }),
        asideExchange: notesName(queue),
        holdsWhileBlocked: true,
        prepare: async (connection, isReopened) => {
          const plan = await maintainer.prepare(connection, isReopened);
          onPlan(plan);
          return declaredObjects(plan, assert);
        },
      }),
    openConsumer: ({ workerId, queue, onPlan, onOpen, onLost, onChange, onDelivery }) =>
      Consumer.open({
        ...placeOf('consume', workerId),
        prepare: async (connection, isReopened) => {
          onPlan(await maintainer.prepare(connection, isReopened));
        },
        queue,
        prefetchCount: 0,
        onOpen,
        onLost,
        onChange,
        onDelivery,
      }),
  };
}

/** @returns the link of a worker with connections of its own. */
export function ownLink(
  options: Pick<
    QueueWorkerOptions,
    | 'declaration'
    | 'amqpUrl'
    | 'managementUrl'
    | 'assert'
    | 'checkIntervalMs'
    | 'onWarning'
    | 'onSession'
    | 'onPublish'
  >,
): WorkerLink {
  const { amqpUrl: url, assert, declaration, onPublish, onSession } = options;
  return linkOf({
    maintainer: new TopologyMaintainer(declaration, options),
    assert,
    onPublish,
    placeOf: (purpose, workerId) => ({
      url,
      label: `worker ${workerId} ${purpose === 'publish' ? 'publishes' : 'consumes'}`,
      ...(onSession === undefined ? {} : { onEvent: onSession }),
    }),
  });
}
