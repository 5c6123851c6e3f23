/** What went wrong, letter by letter; bounded, since a thousand letters can fail alike. */
const REMARK_LIMIT = 20;

export class Remarks {
  readonly #lines: string[] = [];
  #moreCount = 0;

  add(line: string): void {
    if (this.#lines.length < REMARK_LIMIT) this.#lines.push(line);
    else this.#moreCount += 1;
  }

  list(): string[] {
    return this.#moreCount === 0
      ? [...this.#lines]
      : [...this.#lines, `and ${this.#moreCount} more like these`];
  }
}
