/** Stable code of each way in which a topology is refused. The process stops at its start, so nothing is lost. */
export type TopologyErrorCode =
  | 'DECLARATION_INVALID'
  | 'PLAN_REFUSED'
  | 'BROKER_REFUSED'
  | 'BROKER_UNREACHABLE'
  | 'TOPOLOGY_DIFFERS'
  | 'POLICY_FAILED';

/** One fault: what is wrong, on which object, and what to do about it. */
export interface Fault {
  /** Stable, upper snake case. */
  readonly code: string;
  /** The queue, exchange, key or option at fault. */
  readonly subject: string;
  /** What to do about it. */
  readonly remedy: string;
}

/** A topology is refused. `faults` has all faults that were found, not only the first. */
export class TopologyError extends Error {
  /** Which way it was refused. */
  readonly code: TopologyErrorCode;
  /** At least one. */
  readonly faults: readonly Fault[];

  constructor(code: TopologyErrorCode, faults: readonly Fault[], options?: ErrorOptions) {
    const lines = faults.map((fault) => `  ${fault.code} ${fault.subject}: ${fault.remedy}`);
    super([code, ...lines].join('\n'), options);
    this.name = 'TopologyError';
    this.code = code;
    this.faults = faults;
  }
}

/** @returns a fault. @param subject the queue, exchange, key or option at fault. */
export function fault(code: string, subject: string, remedy: string): Fault {
  return { code, subject, remedy };
}
