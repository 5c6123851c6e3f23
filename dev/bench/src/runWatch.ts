/** Watches a system during a long run: its alerts, how fast its status is answered, and the memory of its processes. */
import type { FitClient } from '@fit/client';
import { type ActiveAlert, PrometheusApi } from '@fit/stack/testing';
import { readMemory, readPrivateBytes } from './processUsage.ts';

/** Prometheus evaluates the rules every few seconds, so no alert fires unseen between two readings. */
const ALERTS_INTERVAL_MS = 2_000;
const STATUS_INTERVAL_MS = 1_000;
const MEMORY_INTERVAL_MS = 1_000;

export interface WatchOptions {
  readonly prometheusUrl: string;
  readonly client: FitClient;
  /** Process ids by the name that the report shows. */
  readonly processes: Readonly<Record<string, number>>;
  /** The process whose private memory, with that of its descendants, counts; by the name that the report shows. */
  readonly trees: Readonly<Record<string, number>>;
}

export interface WatchFigures {
  /** Names of the alerts that fired, the watchdog apart, with the number of readings. */
  readonly firing: Readonly<Record<string, number>>;
  readonly pending: Readonly<Record<string, number>>;
  readonly statusMs: readonly number[];
  readonly failedStatusCount: number;
  /** The largest resident set, or private memory of a tree, by name. */
  readonly peakBytes: Readonly<Record<string, number>>;
}

export class RunWatch {
  readonly #options: WatchOptions;
  readonly #prometheus: PrometheusApi;
  readonly #timers: NodeJS.Timeout[];
  readonly #firing: Record<string, number> = {};
  readonly #pending: Record<string, number> = {};
  readonly #statusMs: number[] = [];
  readonly #peakBytes: Record<string, number> = {};
  #failedStatusCount = 0;
  #alertReadings = 0;
  #failure: Error | undefined;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#prometheus = new PrometheusApi(options.prometheusUrl);
    this.#timers = [
      setInterval(() => void this.#readAlerts(), ALERTS_INTERVAL_MS),
      setInterval(() => void this.#readStatus(), STATUS_INTERVAL_MS),
      setInterval(() => {
        this.#readMemory();
      }, MEMORY_INTERVAL_MS),
    ];
  }

  /** @throws Error if the alerts could not be read, or a rule is not evaluated: silence would then prove nothing. */
  async stop(): Promise<WatchFigures> {
    for (const timer of this.#timers) clearInterval(timer);
    if (this.#failure !== undefined) throw this.#failure;
    const rules = await this.#prometheus.rules();
    const broken = rules.filter(({ health }) => health !== 'ok').map(({ name }) => name);
    if (rules.length === 0 || broken.length > 0)
      throw new Error(`rules are not evaluated: ${broken.join(', ') || 'there are none'}`);
    if (this.#alertReadings === 0) throw new Error('the run ended before the alerts were read');
    return {
      firing: this.#firing,
      pending: this.#pending,
      statusMs: this.#statusMs,
      failedStatusCount: this.#failedStatusCount,
      peakBytes: this.#peakBytes,
    };
  }

  async #readAlerts(): Promise<void> {
    try {
      const alerts = await this.#prometheus.alerts();
      const others = alerts.filter(({ labels }) => labels['alertname'] !== 'Watchdog');
      if (others.length === alerts.length) throw new Error('the watchdog does not fire');
      this.#alertReadings += 1;
      for (const alert of others)
        countName(alert.state === 'firing' ? this.#firing : this.#pending, alert);
    } catch (cause) {
      this.#failure ??= new Error('the alerts could not be read', { cause });
    }
  }

  async #readStatus(): Promise<void> {
    const sentAt = performance.now();
    try {
      await this.#options.client.request('GET', '/status');
      this.#statusMs.push(performance.now() - sentAt);
    } catch {
      this.#failedStatusCount += 1;
    }
  }

  #readMemory(): void {
    const keep = (name: string, bytes: number) => {
      this.#peakBytes[name] = Math.max(this.#peakBytes[name] ?? 0, bytes);
    };
    for (const [name, pid] of Object.entries(this.#options.processes)) {
      try {
        keep(name, readMemory(pid).residentBytes);
      } catch {
        // The process has ended. The run that needs it fails and reports it.
      }
    }
    for (const [name, pid] of Object.entries(this.#options.trees))
      keep(name, readPrivateBytes(pid));
  }
}

function countName(counts: Record<string, number>, { labels }: ActiveAlert): void {
  const { alertname = 'without a name', severity = '', queue = '' } = labels;
  const name = [alertname, severity, queue].filter((part) => part !== '').join(' ');
  counts[name] = (counts[name] ?? 0) + 1;
}
