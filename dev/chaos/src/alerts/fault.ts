/** A fault that must raise alerts, and how to repair it; and the alerts that may fire beside the expected ones. */
import type { AlertTestEnvironment } from './alertTestEnvironment.ts';

/** An alert and its severity, such as 'NoConsumers critical'. The severity counts, since it selects the receiver. */
export type AlertName = `${string} ${'critical' | 'warning'}`;

/** The reason for each alert. */
export type Reasons = Readonly<Partial<Record<AlertName, string>>>;

export interface Fault {
  readonly name: string;
  /** What the fault does to the system; a cell of the table. */
  readonly description: string;
  /** Alerts, each of which must reach its receiver within `deadlineSeconds` after the injection. */
  readonly expected: readonly AlertName[];
  /** Labels that an expected alert must have. The same alert with other labels is a violation. */
  readonly labels?: Readonly<Partial<Record<AlertName, Readonly<Record<string, string | RegExp>>>>>;
  /** Expected alerts that may end before the fault is repaired. */
  readonly mayEndEarly?: Reasons;
  /** Alerts that may fire as well; any other is a violation. */
  readonly sideAlerts?: Reasons;
  /** The fault is recognized by the absence of the Watchdog. */
  readonly silencesWatchdog?: boolean;
  /** Default 60. */
  readonly deadlineSeconds?: number;
  inject(environment: AlertTestEnvironment): Promise<void>;
  repair(environment: AlertTestEnvironment): Promise<void>;
}

/** For faults during which more jobs arrive than are done: the relay fills half of the queue, and the rest waits in the outbox. */
export const fillingSideAlerts: Reasons = {
  'QueueNearFull warning': 'jobs go on arriving, and retries return',
  'BacklogTooLong warning': 'the backlog grows while few or no jobs end',
};

/** For faults with messages that are no jobs. */
export const foreignMessageSideAlerts: Reasons = {
  'DeadLetters warning': 'messages that are no jobs are dead-lettered',
};

/** For faults during which no job ends; another alert hides these until it ends. */
export const stalledSideAlerts: Reasons = {
  'QueueStalled critical': 'no attempt ends',
};

/** For faults that restart the coach: the short windows wait only ten seconds, and a busy machine needs longer to restart it. */
export const coachRestartSideAlerts: Reasons = {
  'TargetDown critical': 'the coach restarts',
  'NoConsumers critical': 'the coach restarts',
  'QueueNearFull warning': 'jobs arrive during the restart',
};

/** For faults that restart the monolith, for the same reason. */
export const monolithRestartSideAlerts: Reasons = {
  'TargetDown critical': 'the monolith restarts',
  'NoConsumers warning': 'the monolith restarts',
};

/** For outages of broker or database: hidden during the outage, and true until the outbox is empty again. */
export const outageSideAlerts: Reasons = {
  'OutboxStalled critical': 'the outage has ended, and nothing has been published yet',
  'BacklogTooLong warning': 'no job ended during the outage',
};
