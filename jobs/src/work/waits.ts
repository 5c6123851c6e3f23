/** The waits around an attempt: in the queue before it, in a tier behind it. Pure. */
import { eligibleAtMs, waitQueue } from '@fit/topology';
import type { AttemptResult } from '@fit/topology/work';
import { PUBLISHED_AT_HEADER } from '../record/jobMessage.ts';

export interface Waits {
  /** From eligible to delivered, never negative; absent where it cannot be told. */
  readonly queueWaitMs?: number;
  /** The wait that follows; absent where none does. */
  readonly delayMs?: number;
  /** Where it waits; absent with the native back end, which holds it in the main queue. */
  readonly waitQueue?: string;
}

export function waitsOf({ kind, attempt, delivery, step }: AttemptResult): Waits {
  const { headers, publishedAtSeconds, receivedAtMs } = delivery;
  const ownStamp = headers[PUBLISHED_AT_HEADER];
  const sinceMs = eligibleAtMs(kind, {
    attempt: attempt.number,
    headers,
    publishedAtMs: Number.isFinite(ownStamp)
      ? (ownStamp as number)
      : publishedAtSeconds && publishedAtSeconds * 1_000,
  });
  return {
    ...(sinceMs === undefined ? {} : { queueWaitMs: Math.max(0, receivedAtMs - sinceMs) }),
    ...('delayMs' in step ? { delayMs: step.delayMs } : {}),
    ...waitQueueOf({ kind, attempt, step }),
  };
}

function waitQueueOf({
  kind,
  attempt,
  step,
}: Pick<AttemptResult, 'kind' | 'attempt' | 'step'>): Pick<Waits, 'waitQueue'> {
  if (kind.backend === 'native') return {};
  if (step.type === 'wait') return { waitQueue: waitQueue(kind, attempt.number) };
  return step.type === 'skip' ? { waitQueue: waitQueue(kind, step.tier) } : {};
}
