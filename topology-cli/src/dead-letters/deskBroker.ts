/** What the desk asks of the broker; a test can stand between. */
import {
  type DeadLetterPublisher,
  type DeadLetterReader,
  type DeadLetterReaderOptions,
  Inspector,
  openDeadLetterPublisher,
  openDeadLetterReader,
} from '@fit/topology/amqp';

/** What the desk needs of a broker. */
export interface DeskBroker {
  /**
   * @param onArrival told of each letter as it arrives.
   * @throws where the broker is away or the queue is missing.
   */
  openBox(
    queue: string,
    onArrival?: DeadLetterReaderOptions['onArrival'],
  ): Promise<DeadLetterReader>;
  /** @throws where the broker is away. */
  openPost(): Promise<DeadLetterPublisher>;
  openInspector(): Promise<Inspector>;
}

/** Opens a connection for each: a broker that blocks publishers blocks their whole connection. */
export function deskBroker(amqpUrl: string): DeskBroker {
  return {
    openBox: (queue, onArrival) => openDeadLetterReader(amqpUrl, queue, { onArrival }),
    openPost: () => openDeadLetterPublisher(amqpUrl),
    openInspector: () => Inspector.open({ url: amqpUrl, label: 'dead-letter desk' }),
  };
}
