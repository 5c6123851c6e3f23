/** What the desk asks of the broker; a test can stand between. */
import { Inspector } from '../amqp/inspector.ts';
import { type LetterPost, openLetterPost } from '../amqp/letterPost.ts';
import { type LetterBox, type LetterBoxOptions, openLetterBox } from '../amqp/openLetterBox.ts';

/** What the desk needs of a broker. */
export interface DeskBroker {
  /** @throws where the broker is away or the queue is missing. */
  openBox(queue: string): Promise<LetterBox>;
  /** @throws where the broker is away. */
  openPost(): Promise<LetterPost>;
  openInspector(): Promise<Inspector>;
}

/**
 * Opens a connection for each: a broker that blocks publishers blocks their whole connection. Each box waits for what the
 * one before gave back: right after a close, a part of the queue looks like all of it.
 * @param options for how long it waits.
 */
export function deskBroker(
  amqpUrl: string,
  { owedMs }: Pick<LetterBoxOptions, 'owedMs'> = {},
): DeskBroker {
  const owedCounts = new Map<string, number>();
  return {
    openBox: async (queue) => {
      const box = await openLetterBox(amqpUrl, queue, { owedCount: owedCounts.get(queue), owedMs });
      const close = async () => {
        await box.close();
        owedCounts.set(queue, box.owedCount());
      };
      return { ...box, close };
    },
    openPost: () => openLetterPost(amqpUrl),
    openInspector: () => Inspector.open({ url: amqpUrl, label: 'dead-letter desk' }),
  };
}
