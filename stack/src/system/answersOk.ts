/** Whether a URL answers 2xx in time; /readyz itself takes a second where a dependency hangs. */
const ANSWER_MS = 2_000;

export async function answersOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
