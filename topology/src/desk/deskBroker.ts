/** What the desk asks of the broker; a test can stand between. */
import { Inspector } from '../amqp/inspector.ts';
import { type LetterPost, openLetterPost } from '../amqp/letterPost.ts';
import { type LetterBox, type LetterBoxOptions, openLetterBox } from '../amqp/openLetterBox.ts';

/** What the desk needs of a broker. */
export interface DeskBroker {
  /**
   * @param onArrival told of each letter as it arrives.
   * @throws where the broker is away or the queue is missing.
   */
  openBox(queue: string, onArrival?: LetterBoxOptions['onArrival']): Promise<LetterBox>;
  /** @throws where the broker is away. */
  openPost(): Promise<LetterPost>;
  openInspector(): Promise<Inspector>;
}

/** Opens a connection for each: a broker that blocks publishers blocks their whole connection. */
export function deskBroker(amqpUrl: string): DeskBroker {
  return {
    openBox: (queue, onArrival) => openLetterBox(amqpUrl, queue, { onArrival }),
    openPost: () => openLetterPost(amqpUrl),
    openInspector: () => Inspector.open({ url: amqpUrl, label: 'dead-letter desk' }),
  };
}
