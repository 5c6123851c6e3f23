/** Says how far something is, at most once a second: what is over sooner stays silent. */
export class Progress {
  readonly #say: (line: string) => void;
  #saidAt = performance.now();

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  tick(line: () => string): void {
    const now = performance.now();
    if (now - this.#saidAt < 1_000) return;
    this.#saidAt = now;
    this.#say(line());
  }
}
