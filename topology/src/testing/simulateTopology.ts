/** A simulated topology of typed messages: the handlers that `createWorker` takes, and publishes by name. */
import { type PublishOptions, TopologyPublisher } from '../connect/createPublisher.ts';
import { type CreateWorkerOptions, queueWorkerOptions } from '../connect/createWorker.ts';
import type { AnyTopology, Topology } from '../define/defineTopology.ts';
import type { BodyInput, MessageName } from '../define/messages.ts';
import { SimulatedSystem, type SystemOptions, simulatedWorker } from './simulatedSystem.ts';

/** Options of a simulated worker: those of `createWorker` that do not speak of a broker. Only `handler` is required. */
export type SimulatedHandler<T extends AnyTopology, N extends MessageName<T['queues']>> = Pick<
  CreateWorkerOptions<T, N, unknown>,
  'breaker' | 'concurrency' | 'handler' | 'onError' | 'settle' | 'suspects'
>;

/** What is simulated. */
export interface TopologySimulationOptions<T extends AnyTopology> extends SystemOptions {
  /** A worker for each queue that has one; messages of other queues stay there. */
  readonly handlers: {
    readonly [N in MessageName<T['queues']>]?: SimulatedHandler<T, N>;
  };
}

/** A simulated topology: its queues are called by their names in the topology. */
export class TopologySimulation<T extends AnyTopology = Topology> extends SimulatedSystem<
  MessageName<T['queues']>
> {
  readonly #publisher: TopologyPublisher<Topology>;

  /** @throws TopologyError `PLAN_REFUSED` as `provePlan`; TypeError for an unknown queue or a count below 1. */
  constructor(topology: T, options: TopologySimulationOptions<T>) {
    const handlers = Object.entries(options.handlers) as [
      MessageName<T['queues']>,
      SimulatedHandler<T, MessageName<T['queues']>> | undefined,
    ][];
    const openWorkers = handlers.flatMap(([queue, handler]) =>
      handler === undefined
        ? []
        : [
            [
              queue,
              simulatedWorker(queueWorkerOptions({ ...handler, topology, queue }, [], console)),
            ] as const,
          ],
    );
    super(topology.declaration, new Map(openWorkers), { ...options, queueName: 'kind' });
    this.#publisher = new TopologyPublisher(
      { hooks: undefined, logger: console, addPublisher: () => () => undefined },
      {
        isReady: true,
        isUp: true,
        pendingCount: 0,
        send: (message, onOutcome) => {
          const result = this.broker.publish(message);
          onOutcome(result);
        },
        publishWatched: (message) => ({
          ended: Promise.resolve(this.broker.publish(message)),
          giveUp: () => undefined,
        }),
        replyTo: () => undefined,
        close: () => Promise.resolve(),
      },
      topology as unknown as Topology,
      {
        hooks: undefined,
        encode: undefined,
        timeoutMs: Infinity,
        topologyFault: () => undefined,
        closeConnection: () => Promise.resolve(),
      },
    );
  }

  /**
   * Checks the body and publishes it, as `Publisher.publish` does. A worker takes the message when time moves, or by
   * `advance(0)`.
   * @throws PublishError with a code.
   */
  async publish<N extends MessageName<T['messages']>>(
    type: N,
    body: BodyInput<T['messages'][N]>,
    options: Pick<PublishOptions<T>, 'headers' | 'id' | 'priority'> = {},
  ): Promise<{ readonly id: string }> {
    const { id = this.nextId() } = options;
    return await this.#publisher.publish(type, body, { ...options, id });
  }
}
