/** Removes dead letters of a user that wait on the broker, where no recorder moves them into the database. */
import { jobId } from '@fit/jobs';
import { type Declaration, deadLetterQueue } from '@fit/topology';
import { openDeadLetterReader } from '@fit/topology/amqp';
import { namesUser } from './boundary.ts';

/** Reading ends after this many dead letters of a queue. */
const READ_LIMIT = 100_000;

/** Those of other users stay in the queue, in their order. @throws TopologyError, DeadLetterReaderLost */
export async function eraseDeadLetters(
  amqpUrl: string,
  { kinds }: Declaration,
  userId: string,
): Promise<void> {
  const prefixes = kinds.map(({ kind }) => jobId(kind, `${userId}:`));
  for (const kind of kinds) {
    const reader = await openDeadLetterReader(amqpUrl, deadLetterQueue(kind));
    try {
      for (let count = 0; count < READ_LIMIT; count += 1) {
        const delivery = await reader.next();
        if (delivery === undefined) break;
        const isOfUser =
          prefixes.some((prefix) => delivery.messageId?.startsWith(prefix) === true) ||
          namesUser(delivery.body.toString('latin1'), userId);
        delivery.discardContent();
        if (isOfUser) delivery.ack();
      }
    } finally {
      await reader.close();
    }
  }
}
