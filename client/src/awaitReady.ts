/** Waits until the monolith is ready for work. */
import type { FitClient } from './fitClient.ts';

export interface AwaitReadyOptions {
  readonly client: Pick<FitClient, 'unreadiness'>;
  readonly waitMs: number;
  /** Called with the reason each time that it changes. */
  readonly onProgress: (line: string) => void;
}

const POLL_MS = 1_000;

/** @returns false where it was not ready within `waitMs`. */
export async function awaitReady(options: AwaitReadyOptions): Promise<boolean> {
  const deadline = Date.now() + options.waitMs;
  let reported: string | undefined;
  for (;;) {
    const why = await options.client.unreadiness();
    if (why === undefined) return true;
    if (why !== reported) options.onProgress(`the monolith is not ready (${why}); waiting`);
    reported = why;
    if (Date.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
