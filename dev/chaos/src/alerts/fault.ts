/** A fault that the alerts must tell, and how to mend it. */
import type { AlertWorld } from './alertWorld.ts';

/** An alert and its severity, such as 'NoConsumers critical'; severities are told apart, since they go to other people. */
export type AlertName = `${string} ${'critical' | 'warning' | 'info'}`;

/** By alert: why. */
export type Reasons = Readonly<Partial<Record<AlertName, string>>>;

export interface Fault {
  readonly name: string;
  /** What is done, for the table. */
  readonly about: string;
  /** Each must reach a receiver within `deadlineSeconds` of the injection. */
  readonly expected: readonly AlertName[];
  /** Of expected ones that are of one thing alone: its labels. The same alert of another thing is a failure. */
  readonly labels?: Readonly<Partial<Record<AlertName, Readonly<Record<string, string | RegExp>>>>>;
  /** Expected ones that may be over before the fault is mended. */
  readonly passing?: Reasons;
  /** What may come along; anything else is a failure. */
  readonly consequences?: Reasons;
  /** The sign is that the Watchdog no longer comes. */
  readonly silencesWatchdog?: boolean;
  /** Default 60. */
  readonly deadlineSeconds?: number;
  inject(world: AlertWorld): Promise<void>;
  mend(world: AlertWorld): Promise<void>;
}
