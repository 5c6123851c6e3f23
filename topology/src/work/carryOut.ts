/** The next step, carried out: what has to be published is, and the broker's answer is chosen but not yet given. */
import type { Delivery, Publisher } from '../amqp/index.ts';
import { type DeadLetterDetails, deadLetter, skipTo } from './deadLetters.ts';
import type { AttemptResult } from './workerOptions.ts';

/** A method of `Delivery`. */
export type Answer = 'ack' | 'reject' | 'delay';

/** What publishes in a worker's name. */
export interface Sender {
  readonly publisher: Publisher;
  readonly workerId: string;
}

/**
 * @returns how the message is answered once all is stored; undefined where a publish was not confirmed: then it was
 * rejected, waits a tier, is tried again, and nothing is to be recorded of it.
 */
export async function performStep(
  sender: Sender,
  { delivery, outcome, attempt, kind, step }: AttemptResult,
): Promise<Answer | undefined> {
  switch (step.type) {
    case 'ack':
    case 'drop':
      return 'ack';
    case 'wait':
      return kind.backend === 'native' ? 'delay' : 'reject';
    case 'exhaust':
      return 'reject';
    case 'deadLetter': {
      const error = outcome.type === 'reject' ? outcome.error : undefined;
      const { workerId } = sender;
      const reason: DeadLetterDetails = {
        cause: 'fatal',
        error,
        attempt: attempt.number,
        workerId,
      };
      return orReject(delivery, await deadLetter(sender.publisher, kind, { delivery, reason }));
    }
    case 'skip':
      return orReject(
        delivery,
        await skipTo(sender.publisher, kind, { delivery, tier: step.tier }),
      );
  }
}

function orReject(delivery: Delivery, isConfirmed: boolean): 'ack' | undefined {
  if (isConfirmed) return 'ack';
  delivery.reject();
  return undefined;
}
