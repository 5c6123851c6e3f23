/** What the desk asks of the broker; a test can stand between. */
import { Inspector } from '../amqp/inspector.ts';
import { type LetterPost, openLetterPost } from '../amqp/letterPost.ts';
import { type LetterBox, openLetterBox } from '../amqp/openLetterBox.ts';

/** What the desk needs of a broker. */
export interface DeskBroker {
  /** @throws where the broker is away or the queue is missing. */
  openBox(queue: string): Promise<LetterBox>;
  /** @throws where the broker is away. */
  openPost(): Promise<LetterPost>;
  openInspector(): Promise<Inspector>;
}

/** Opens a connection for each: a broker that blocks publishers blocks their whole connection. */
export function deskBroker(amqpUrl: string): DeskBroker {
  return {
    openBox: (queue) => openLetterBox(amqpUrl, queue),
    openPost: () => openLetterPost(amqpUrl),
    openInspector: () => Inspector.open({ url: amqpUrl, label: 'dead-letter desk' }),
  };
}
