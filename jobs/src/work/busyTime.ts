/** How long handlers have run in a process, all together; also that of those that still run. */
export class BusyTime {
  #runningCount = 0;
  #doneMs = 0;
  #changedAtMs = performance.now();

  /** Only rises, between ends too: a rate over it is true while long work runs. */
  get totalMs(): number {
    return this.#doneMs + this.#runningCount * (performance.now() - this.#changedAtMs);
  }

  /** Counts until the work answers, or is given up by its signal: what runs on after that takes no place. */
  during<Answer>(
    signal: AbortSignal,
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
      signal.addEventListener('abort', end, { once: true });
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
