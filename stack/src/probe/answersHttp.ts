/** Whether a web server answers with success. */

const ANSWER_DEADLINE_MS = 2000;

/** True on a status from 200 to 299; throws when nobody listens or two seconds pass. */
export async function answersHttp(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_DEADLINE_MS) });
  await response.body?.cancel();
  return response.ok;
}
