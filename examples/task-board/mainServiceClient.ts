/** The REST side of the main service, as consumers use it. */
import { z } from 'zod';

const TIMEOUT_MS = 5_000;

/** The main service does not answer, or answers that it cannot. */
export class MainServiceDown extends Error {}

const taskData = z.object({ id: z.string(), text: z.string(), status: z.string() });

export class MainService {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** @returns undefined where there is no such task. @throws MainServiceDown; the reason of the signal. */
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

  async #request(
    method: 'GET' | 'PUT',
    path: string,
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly body: unknown }> {
    try {
      const response = await fetch(`${this.#url}/api/v1/${path}`, {
        method,
        signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      });
      if (response.status < 500) return { status: response.status, body: await response.json() };
      throw new Error(`it answers ${response.status}`);
    } catch (cause) {
      signal.throwIfAborted();
      throw new MainServiceDown('the main service does not answer', { cause });
    }
  }
}
