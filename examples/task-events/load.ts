/** The load test, as with `hey -n N -c C`: reads of a list of tasks through the load balancer, and their latencies. */

const BARS = 10;
const BAR_WIDTH = 40;

/** @throws if a request is refused, or the signal was aborted. */
export async function measureLoad(options: {
  /** Address of the load balancer. */
  readonly api: string;
  readonly requests: number;
  /** Requests at a time. */
  readonly concurrency: number;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { api, requests, concurrency, signal } = options;
  const user = await post(`${api}/users`, { name: 'ann', email: 'ann@example.org' });
  const task = { title: 'read', description: '', status: 'todo', userId: user.id };
  for (let index = 0; index < 10; index += 1) await post(`${api}/tasks`, task);

  const latenciesMs: number[] = [];
  let started = 0;
  const startedAt = performance.now();
  const sendNext = async (): Promise<void> => {
    while (started < requests) {
      started += 1;
      const sentAt = performance.now();
      const response = await fetch(`${api}/tasks?userId=${user.id}`, { signal });
      await response.text();
      if (!response.ok) throw new Error(`GET /tasks answered ${response.status}`);
      latenciesMs.push(performance.now() - sentAt);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, sendNext));
  const seconds = (performance.now() - startedAt) / 1_000;
  const sorted = latenciesMs.toSorted((one, other) => one - other);
  console.log(
    `${requests} requests, ${concurrency} at a time: ${Math.round(requests / seconds)}/s, ${seconds.toFixed(2)} s`,
  );
  for (const line of histogram(sorted)) console.log(line);
  const percentiles = [50, 90, 95, 99].map((percent) => {
    const latency = sorted[Math.ceil((percent / 100) * sorted.length) - 1] ?? 0;
    return `p${percent} ${latency.toFixed(1)} ms`;
  });
  console.log(percentiles.join(', '));
}

function histogram(sorted: readonly number[]): string[] {
  const [lowest, highest] = [sorted[0] ?? 0, sorted.at(-1) ?? 0];
  const step = (highest - lowest) / BARS || 1;
  const counts = Array.from({ length: BARS }, () => 0);
  for (const latency of sorted) {
    const bar = Math.min(BARS - 1, Math.floor((latency - lowest) / step));
    counts[bar] = (counts[bar] ?? 0) + 1;
  }
  const most = Math.max(...counts);
  return counts.map((count, bar) => {
    const end = (lowest + (bar + 1) * step).toFixed(1).padStart(8);
    const mark = '■'.repeat(Math.round((count / most) * BAR_WIDTH));
    return `${end} ms [${String(count).padStart(6)}] ${mark}`;
  });
}

async function post(url: string, body: object): Promise<{ readonly id: string }> {
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`POST ${url} answered ${response.status}`);
  return (await response.json()) as { readonly id: string };
}
