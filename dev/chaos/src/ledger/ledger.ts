/** What the database and the broker hold at the end of a scenario. */
export interface LedgerJob {
  readonly id: string;
  readonly userId: string;
  readonly date: string;
  readonly state: string;
  readonly generation: number;
  readonly cause: string | undefined;
  readonly attempts: readonly LedgerAttempt[];
}

export interface LedgerAttempt {
  readonly number: number;
  readonly generation: number;
  readonly outcome: string;
  readonly delayMs?: number;
  readonly startedAt: Date;
  readonly endedAt: Date;
}

export interface Ledger {
  /** `<userId>:<date>` of every job that was accepted. */
  readonly accepted: readonly string[];
  readonly jobs: readonly LedgerJob[];
  /** `<userId>:<date>` of every stored workout, repeats included. */
  readonly wods: readonly string[];
  readonly letterCount: number;
  /** Ready messages by queue. */
  readonly depths: Readonly<Record<string, number>>;
}
