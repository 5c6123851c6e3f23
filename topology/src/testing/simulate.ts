/** Runs a topology and its workers against a broker in memory and a virtual clock, so that a test of a retry policy takes milliseconds. */
import type { OutgoingMessage, PublishResult } from '../amqp/index.ts';
import type { Declaration, KindsOptions } from '../declaration/declareTopology.ts';
import type { AnyTopology, Topology } from '../define/defineTopology.ts';
import type { QueueWorkerOptions } from '../work/queueWorkerOptions.ts';
import { SimulatedSystem, type SystemOptions, simulatedWorker } from './simulatedSystem.ts';
import { TopologySimulation, type TopologySimulationOptions } from './simulateTopology.ts';

/** Options of one worker: those of `QueueWorker` that do not speak of a broker. Only `run` is required. */
export type SimulatedWorkerOptions = Pick<
  QueueWorkerOptions,
  | 'circuitBreaker'
  | 'concurrency'
  | 'deadlineMs'
  | 'onEvent'
  | 'onLong'
  | 'onUnconfirmed'
  | 'prefetchCount'
  | 'read'
  | 'run'
  | 'settle'
  | 'suspectConcurrency'
>;

/** What is simulated. */
export interface SimulationOptions<Kinds extends KindsOptions = KindsOptions>
  extends SystemOptions {
  /** A worker for each kind that has one; messages of other kinds stay in their queue. */
  readonly workers: Readonly<Partial<Record<Extract<keyof Kinds, string>, SimulatedWorkerOptions>>>;
}

/** A message to publish to the declared exchange. */
export interface SimulatedPublish extends Partial<Pick<OutgoingMessage, 'headers' | 'priority'>> {
  /** Message id; default `message-1`, `message-2` and so on. */
  readonly id?: string;
}

/**
 * Plans and proves a topology, and starts its workers. They are real workers, with the rules of attempts, deadlines,
 * crashes and dead letters that they have in production; only broker and clock are simulated.
 * @param topology what `defineTopology` returned, or `declareTopology`.
 * @throws TopologyError `PLAN_REFUSED` as `provePlan`.
 */
export function simulate<const T extends AnyTopology>(
  topology: T,
  options: TopologySimulationOptions<T>,
): TopologySimulation<T>;
export function simulate<const Kinds extends KindsOptions>(
  topology: Declaration<Kinds>,
  options: SimulationOptions<Kinds>,
): Simulation;
export function simulate(
  topology: Topology | Declaration,
  options: TopologySimulationOptions<Topology> | SimulationOptions,
): TopologySimulation | Simulation {
  if ('declaration' in topology)
    return new TopologySimulation(topology, options as TopologySimulationOptions<Topology>);
  return new Simulation(topology, options as SimulationOptions);
}

/** A simulated declaration: its queues are called by their names on the broker. */
export class Simulation extends SimulatedSystem {
  readonly #exchange: string;

  /** @throws TopologyError `PLAN_REFUSED` as `provePlan`. */
  constructor(declaration: Declaration, options: SimulationOptions) {
    const workers = Object.entries<SimulatedWorkerOptions | undefined>(options.workers);
    const openWorkers = workers.flatMap(([kind, worker]) =>
      worker === undefined
        ? []
        : [[kind, simulatedWorker({ ...worker, declaration, kind })] as const],
    );
    super(declaration, new Map(openWorkers), { ...options, queueName: 'queue' });
    this.#exchange = declaration.exchange;
  }

  /**
   * Publishes to the declared exchange. A worker takes the message when time moves, or by `advance(0)`.
   * @param key public routing key of a kind.
   * @returns the message id, and the answer of the broker: `confirmed`, `returned` without a queue, `nacked` by a full one.
   */
  publish(
    key: string,
    body: Buffer | string,
    { id = this.nextId(), ...message }: SimulatedPublish = {},
  ): Promise<{ readonly id: string; readonly result: PublishResult }> {
    const outgoing = { ...message, exchange: this.#exchange, key, id, body: Buffer.from(body) };
    return Promise.resolve({ id, result: this.broker.publish(outgoing) });
  }
}
