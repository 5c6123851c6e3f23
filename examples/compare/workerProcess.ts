/** A worker as a child process, and what all workers of a scenario reported. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** start: a handler began. frozen: the process stands still and can be killed. */
export type ReportedStep = 'start' | 'sent' | 'failed' | 'frozen';

export interface Report {
  readonly event: ReportedStep;
  readonly id: string;
  /** Attempt as the consumer counts, from 1. */
  readonly attempt: number;
  readonly atMs: number;
  /** Number of the worker process, from 1. */
  readonly process: number;
}

/** What the workers of one scenario reported, in the order of arrival. */
export class Ledger {
  readonly reports: Report[] = [];

  add(report: Report): void {
    this.reports.push(report);
  }

  count(event: ReportedStep, id?: string): number {
    return this.reports.filter(
      (report) => report.event === event && (id === undefined || report.id === id),
    ).length;
  }

  /** @returns the first such report; undefined if there is none yet. */
  find(event: ReportedStep, id: string, attempt?: number): Report | undefined {
    return this.reports.find(
      (report) =>
        report.event === event &&
        report.id === id &&
        (attempt === undefined || report.attempt === attempt),
    );
  }
}

/** How a program is started: the program and its arguments. */
export type Command = readonly [program: string, ...args: string[]];

export interface WorkerOptions {
  readonly command: Command;
  readonly amqpUrl: string;
  readonly number: number;
  readonly ledger: Ledger;
}

const LOG_LIMIT_CHARS = 4_000;
const STOP_DEADLINE_MS = 20_000;

/** One consumer of one library. */
export class WorkerProcess {
  readonly #child;
  readonly #ended: Promise<unknown>;
  #log = '';

  constructor({ command: [program, ...args], amqpUrl, number, ledger }: WorkerOptions) {
    this.#child = spawn(program, args, {
      env: { ...process.env, AMQP_URL: amqpUrl, PROCESS_NUMBER: String(number) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#ended = once(this.#child, 'close');
    this.#child.stderr.on('data', (text: Buffer) => {
      this.#log = `${this.#log}${text.toString()}`.slice(-LOG_LIMIT_CHARS);
    });
    createInterface(this.#child.stdout).on('line', (line) => {
      if (line.startsWith('{'))
        ledger.add({ ...(JSON.parse(line) as Report), atMs: Date.now(), process: number });
    });
  }

  /** What it wrote to standard error, the end of it. */
  get log(): string {
    return this.#log;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Resolves when it has ended and everything that it printed is in the ledger. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  /** @returns true if it ended by itself within 20 s; otherwise it is killed. */
  async stop(): Promise<boolean> {
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_DEADLINE_MS);
    await this.#ended;
    clearTimeout(timer);
    return this.#child.signalCode !== 'SIGKILL';
  }
}
