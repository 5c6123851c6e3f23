/** Settles a message without a worker, for tools that predict its path from outcomes. */
import type { OutgoingMessage } from '../amqp/index.ts';
import type { PlannedKind } from '../plan/topologyPlan.ts';
import { nextStep } from '../retry/nextStep.ts';
import type { Outcome } from '../retry/outcome.ts';
import {
  type CopiedDelivery,
  copyFor,
  deadLetterOf,
  settleMethodFor,
} from '../work/stepSettlement.ts';
import { settlementWords } from './settlementWords.ts';
import type { SimulatedBroker, SimulatedMessage } from './simulatedBroker.ts';

/** Name of the worker on dead letters. */
const WORKER_ID = 'simulated';

/**
 * Does what a worker of the kind does after this outcome; a message that belongs to no attempt of the kind is malformed.
 * @param message must be unsettled.
 */
export function settleAs(
  broker: SimulatedBroker,
  kind: PlannedKind,
  message: SimulatedMessage,
  outcome: Outcome,
): void {
  const { body, headers, priority, id: messageId, key: routingKey, type } = message;
  const delivery: CopiedDelivery = { body, headers, priority, messageId, routingKey, type };
  const attempt = broker.attemptOf(message);
  if (attempt === undefined) {
    const details = { cause: 'malformed', error: undefined, attempt: 0 } as const;
    const deadLetter = deadLetterOf(kind, delivery, { ...details, workerId: WORKER_ID });
    replace(broker, message, deadLetter, 'is no job of this kind');
    return;
  }
  const step = nextStep(kind, attempt, outcome);
  const words = settlementWords(step, outcome);
  const copy = copyFor({ attempt, delivery, kind, outcome, step }, WORKER_ID);
  if (copy !== undefined) {
    replace(broker, message, copy, words);
    return;
  }
  switch (settleMethodFor({ kind, step })) {
    case 'ack':
      broker.ack(message, words);
      return;
    case 'nackToDeadLetterExchange':
      broker.nackToDeadLetterExchange(message, words);
      return;
    case 'rejectForNativeRetry':
      broker.returnToQueue(message, 'failed', words);
  }
}

/** A copy is confirmed before its original is acknowledged; one that no queue takes leaves the original to its next tier. */
function replace(
  broker: SimulatedBroker,
  message: SimulatedMessage,
  copy: OutgoingMessage,
  words: string,
): void {
  if (broker.publish(copy) === 'confirmed') broker.ack(message, words);
  else broker.nackToDeadLetterExchange(message, words);
}
