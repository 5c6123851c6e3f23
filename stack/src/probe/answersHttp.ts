/** Whether a web server answers. */

const ANSWER_DEADLINE_MS = 2000;

/** True on a status from 200 to 299; throws when nobody listens or two seconds pass. */
export async function answersHttp(url: string): Promise<boolean> {
  return (await statusOf(url)).ok;
}

/**
 * The management API of RabbitMQ, whose pages answer before its statistics do (500, seen on 4.3.6). It is asked as guest;
 * where there is none any more the refusal is an answer, too.
 */
export async function answersManagement(port: number): Promise<boolean> {
  const authorization = `Basic ${Buffer.from('guest:guest').toString('base64')}`;
  const url = `http://127.0.0.1:${port}/api/overview`;
  return (await statusOf(url, { authorization })).status < 500;
}

async function statusOf(url: string, headers: Record<string, string> = {}): Promise<Response> {
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(ANSWER_DEADLINE_MS) });
  await response.body?.cancel();
  return response;
}
