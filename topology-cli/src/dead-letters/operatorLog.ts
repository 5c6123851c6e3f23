/** What a long operation on dead letters reports to the operator, bounded in rate and in length. */

const PROGRESS_INTERVAL_MS = 1_000;
const PROBLEM_LIMIT = 20;

/** Logs progress at most once a second, so an operation that is shorter than a second logs none. */
export class ProgressLog {
  readonly #log: (line: string) => void;
  #loggedAtMs = performance.now();

  constructor(log: (line: string) => void) {
    this.#log = log;
  }

  update(line: () => string): void {
    const nowMs = performance.now();
    if (nowMs - this.#loggedAtMs < PROGRESS_INTERVAL_MS) return;
    this.#loggedAtMs = nowMs;
    this.#log(line());
  }
}

/** Keeps the first 20 problems and counts the others, because a thousand dead letters can fail for one reason. */
export class ProblemList {
  readonly #lines: string[] = [];
  #omittedCount = 0;

  add(line: string): void {
    if (this.#lines.length < PROBLEM_LIMIT) this.#lines.push(line);
    else this.#omittedCount += 1;
  }

  list(): string[] {
    if (this.#omittedCount === 0) return [...this.#lines];
    return [...this.#lines, `and ${this.#omittedCount} more like these`];
  }
}
