/** What a service's /readyz says that it still lacks. */

/** It answers within a second, whatever its dependencies do. */
const ANSWER_MS = 2_000;

interface Reply {
  readonly checks?: Readonly<Record<string, { readonly why?: string }>>;
}

/** @returns why it is not ready, such as 'store: does not answer a ping'; undefined where it is. */
export async function unreadiness(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) });
    if (response.ok) {
      await response.body?.cancel();
      return undefined;
    }
    const { checks = {} } = (await response.json()) as Reply;
    const reasons = Object.entries(checks).flatMap(([name, { why }]) =>
      why === undefined ? [] : [`${name}: ${why}`],
    );
    return reasons.join('; ') || `status ${response.status}`;
  } catch {
    return `no answer from ${url}`;
  }
}
