/** Sums the time that handlers ran in this process, including those that still run. */
export class BusyTime {
  #runningCount = 0;
  #doneMs = 0;
  #changedAtMs = performance.now();

  /** The sum in milliseconds. It rises while handlers run, not only when they end, so that its rate is right during long work. */
  get totalMs(): number {
    return this.#doneMs + this.#runningCount * (performance.now() - this.#changedAtMs);
  }

  /** Handlers that run now. */
  get runningCount(): number {
    return this.#runningCount;
  }

  /** Does the work and counts its time until it ends or the task's signal aborts, because abandoned work occupies no handler. */
  during<Answer>(
    task: { readonly signal: AbortSignal },
    work: () => Answer | Promise<Answer>,
  ): Answer | Promise<Answer> {
    this.#change(1);
    let isOver = false;
    const end = () => {
      if (!isOver) this.#change(-1);
      isOver = true;
    };
    try {
      const answer = work();
      if (!(answer instanceof Promise)) {
        end();
        return answer;
      }
      task.signal.addEventListener('abort', end, { once: true });
      return answer.finally(end);
    } catch (error) {
      end();
      throw error;
    }
  }

  #change(count: 1 | -1): void {
    this.#doneMs = this.totalMs;
    this.#changedAtMs = performance.now();
    this.#runningCount += count;
  }
}
