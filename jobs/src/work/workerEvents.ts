/** The events of a worker of the topology as events of jobs. */
import type { TopologyEvent } from '@fit/topology';
import type { CircuitBreakerState } from '@fit/topology/work';
import type { JobListener } from '../jobEvent.ts';

/**
 * Tells what happens to a worker beside its attempts and publishes.
 * @param queue the name on the broker of the queue that it consumes.
 */
export function tellWorkerEvent(event: TopologyEvent, queue: string, onEvent: JobListener): void {
  switch (event.type) {
    case 'redelivered':
    case 'attemptMismatch':
    case 'quarantine':
      onEvent({ ...event, queue });
      return;
    case 'breaker': {
      const { state: type, pauseMs = 0, errorClass = '' } = event;
      const state: CircuitBreakerState =
        type === 'closed' ? { type } : { type, pauseMs, errorClass };
      onEvent({ type: 'circuitBreaker', queue, state });
      return;
    }
    case 'deadLettered':
      if (event.cause === 'refused') onEvent({ type: 'refused', queue, reason: event.error ?? '' });
      return;
    case 'settleFailed': {
      const error = event.error instanceof Error ? event.error : new Error(String(event.error));
      onEvent({ type: 'stageFailed', stage: 'settle', error });
      return;
    }
    default:
  }
}
