/** Closes a connection, and comes back even where it dies meanwhile. */
import type { ChannelModel } from 'amqplib';

const DEADLINE_MS = 5_000;

/**
 * amqplib never answers a close whose connection ends before the broker's answer.
 * @param before what is to be sent first; what it throws is of no interest any more.
 */
export async function endConnection(
  model: ChannelModel,
  before: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    model.once('close', () => {
      resolve();
    });
    timer = setTimeout(resolve, DEADLINE_MS);
  });
  await Promise.race([before().catch(() => undefined), over]);
  await Promise.race([model.close().catch(() => undefined), over]);
  clearTimeout(timer);
}
