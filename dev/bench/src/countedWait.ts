/** Waits until something has happened so many times, and says when that was. */
export class CountedWait {
  #missingCount = 0;
  #waiting: PromiseWithResolvers<number> | undefined;

  add(count: number): void {
    this.#missingCount -= count;
    if (this.#missingCount <= 0) this.#waiting?.resolve(Date.now());
  }

  /**
   * Call it before the first of them can happen; what happened before does not count.
   * @returns Unix time in milliseconds at which the last one happened.
   */
  async next(count: number): Promise<number> {
    this.#missingCount = count;
    this.#waiting = Promise.withResolvers<number>();
    return await this.#waiting.promise;
  }
}
