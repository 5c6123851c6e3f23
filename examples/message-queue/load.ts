/** The load test: many requests at a time, until the consumers have processed every message. */
import { setTimeout as pause } from 'node:timers/promises';

const REQUESTS_AT_A_TIME = 20;
const POLL_MS = 50;

/** @throws if a request is refused, or the signal was aborted. */
export async function measureLoad(options: {
  /** Its address. */
  readonly producer: string;
  readonly consumers: readonly string[];
  /** Messages. */
  readonly count: number;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { producer, consumers, count, signal } = options;
  const before = await consumedCount(consumers);
  const latenciesMs: number[] = [];
  let next = 0;
  const startedAt = performance.now();
  const sendNext = async (): Promise<void> => {
    while (next < count) {
      const id = `load-${(next += 1)}`;
      const sentAt = performance.now();
      const response = await fetch(`${producer}/produce`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ id, payload: { text: 'load test' }, processing_time: 0 }),
        signal,
      });
      const answer = await response.text();
      if (!response.ok) throw new Error(`${id}: ${response.status} ${answer}`);
      latenciesMs.push(performance.now() - sentAt);
    }
  };
  await Promise.all(Array.from({ length: REQUESTS_AT_A_TIME }, sendNext));
  const producedMs = performance.now() - startedAt;
  while ((await consumedCount(consumers)) - before < count)
    await pause(POLL_MS, undefined, { signal });
  const consumedMs = performance.now() - startedAt;

  const perSecond = (ms: number) => `${Math.round((count * 1_000) / ms)}/s`;
  const sorted = latenciesMs.toSorted((one, other) => one - other);
  const percentiles = [50, 90, 95, 99, 100].map(
    (percent) => `p${percent} ${percentile(sorted, percent).toFixed(1)} ms`,
  );
  console.log(`${count} messages, ${REQUESTS_AT_A_TIME} requests at a time`);
  console.log(`produced  ${perSecond(producedMs)}, in ${(producedMs / 1_000).toFixed(2)} s`);
  console.log(
    `consumed  ${perSecond(consumedMs)}, the last after ${(consumedMs / 1_000).toFixed(2)} s`,
  );
  console.log(`POST /produce  ${percentiles.join(', ')}`);
}

function percentile(sorted: readonly number[], percent: number): number {
  const index = Math.ceil((percent / 100) * sorted.length) - 1;
  return sorted[Math.max(0, index)] ?? 0;
}

/** The sum over all consumers. */
async function consumedCount(consumers: readonly string[]): Promise<number> {
  const counts = await Promise.all(
    consumers.map(async (consumer) => {
      const page = await (await fetch(`${consumer}/metrics`)).text();
      return Number(/^messages_consumed_total (\d+)/m.exec(page)?.[1] ?? 0);
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}
