/** A budget of bytes that many holders share, so that their number does not bound the memory of the process. */

/** Of the bodies of requests under way; a heap of 96 MiB (dev/stack/src/system/nodeFlags.ts) carries it many times. */
export const BODY_BUDGET_BYTES = 8 * 1024 * 1024;

export class ByteBudget {
  readonly #limitBytes: number;
  #heldBytes = 0;

  /** @param limitBytes what all shares may hold together. */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** What all shares hold now. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** @returns a share that holds nothing yet. It must be released, whatever happens to its holder. */
  open(): BudgetShare {
    let shareBytes = 0;
    return {
      tryReserve: (bytes) => {
        if (this.#heldBytes - shareBytes + bytes > this.#limitBytes) return false;
        this.#heldBytes += bytes - shareBytes;
        shareBytes = bytes;
        return true;
      },
      release: () => {
        this.#heldBytes -= shareBytes;
        shareBytes = 0;
      },
    };
  }
}

/** What one holder has of a budget. */
export interface BudgetShare {
  /**
   * Sets what this holder has, in bytes; more or less than before.
   * @returns false where the budget has not enough left; the share is then as it was.
   */
  tryReserve(bytes: number): boolean;
  /** Gives everything back; may be called again. */
  release(): void;
}

/** One for all ports of the process: a budget for each would add up. */
export const bodyBudget = new ByteBudget(BODY_BUDGET_BYTES);
