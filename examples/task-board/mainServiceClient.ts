/** The REST side of the main service, as consumers use it: a request is repeated until the service answers. */
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';

const TIMEOUT_MS = 5_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

const taskData = z.object({ id: z.string(), text: z.string(), status: z.string() });

export class MainService {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** @returns undefined where there is no such task. @throws the reason of the signal. */
  async findTask(id: string, signal: AbortSignal): Promise<z.infer<typeof taskData> | undefined> {
    const response = await this.#request('GET', `get-task-data?taskId=${id}`, signal);
    return response.status === 404 ? undefined : taskData.parse(response.body);
  }

  /** Refused where the task has another end already (409) or does not exist (404): then there is nothing to report. */
  async report(id: string, status: 'success' | 'error', signal: AbortSignal): Promise<void> {
    const path = `update-task-status?taskId=${id}&taskStatus=${status}`;
    const response = await this.#request('PUT', path, signal);
    const answer = response.status === 200 ? status : JSON.stringify(response.body);
    console.log(`consumer ${process.pid}: ${id} ${answer}`);
  }

  /** While the service is down the message stays with the broker unacknowledged, so its end is not lost. */
  async #request(
    method: 'GET' | 'PUT',
    path: string,
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly body: unknown }> {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      try {
        const response = await fetch(`${this.#url}/api/v1/${path}`, {
          method,
          signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
        });
        const body: unknown = await response.json();
        if (response.status < 500) return { status: response.status, body };
      } catch {
        signal.throwIfAborted();
      }
      await pause(pauseMs, undefined, { signal });
    }
  }
}
