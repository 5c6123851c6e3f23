/**
 * The health of a process. Alive: the process works, so a restart would not repair anything. Ready: work may be sent to it.
 */
import pTimeout from 'p-timeout';

/**
 * Checks one condition.
 * @returns undefined if the condition holds, otherwise the reason why it does not, which is shown without a token. A
 * rejection counts as a failed check, and its message is not shown, because it may hold a secret.
 */
export type HealthCheck = () => Promise<string | undefined> | string | undefined;

export interface HealthOptions {
  /** Aborted by the first signal to stop; from then on the process drains and is not ready. */
  readonly stopping: AbortSignal;
  /** What must hold before work is sent to this process; these checks send requests to the dependencies. */
  readonly ready: Readonly<Record<string, HealthCheck>>;
  /**
   * Checks of faults that a restart would repair. They must not depend on another service, because one outage would then
   * restart every process. Default: none.
   */
  readonly alive?: Readonly<Record<string, () => string | undefined>>;
}

export interface CheckReply {
  readonly ok: boolean;
  /** When the check last changed between ok and not ok; ISO time. */
  readonly since: string;
  /** The reason; absent while the check is ok. */
  readonly why?: string;
}

export interface HealthReply {
  readonly status: 200 | 503;
  readonly body: {
    readonly status: string;
    readonly checks: Readonly<Record<string, CheckReply>>;
  };
}

/** A check that takes longer has failed, so that a probe is always answered. */
const CHECK_TIMEOUT_MS = 1_000;
const DRAINING = 'the process was asked to stop: it finishes running work and accepts no new work';

export class Health {
  readonly #stopping: AbortSignal;
  readonly #ready: ReadonlyMap<string, MonitoredCheck>;
  readonly #accepting: MonitoredCheck;
  readonly #alive: ReadonlyMap<string, MonitoredCheck>;

  constructor({ stopping, ready, alive = {} }: HealthOptions) {
    this.#stopping = stopping;
    this.#ready = monitor(ready);
    this.#accepting = new MonitoredCheck(() => (stopping.aborted ? DRAINING : undefined));
    // A response of any kind proves that the event loop runs, so this check cannot fail.
    this.#alive = monitor({ loop: () => undefined, ...alive });
    // The check runs at once, so that `since` is the time of the signal and not of the next probe.
    stopping.addEventListener('abort', () => void this.#accepting.run());
  }

  get isDraining(): boolean {
    return this.#stopping.aborted;
  }

  async ready(): Promise<HealthReply> {
    const others = await runAll(this.#ready);
    // This check runs last, because the signal may arrive while the dependencies are checked.
    const accepting = await this.#accepting.run();
    const failed = accepting.ok ? 'not ready' : 'draining';
    return toReply({ ...others, accepting }, { passed: 'ready', failed });
  }

  async alive(): Promise<HealthReply> {
    return toReply(await runAll(this.#alive), { passed: 'alive', failed: 'stuck' });
  }
}

function monitor(
  checks: Readonly<Record<string, HealthCheck>>,
): ReadonlyMap<string, MonitoredCheck> {
  return new Map(Object.entries(checks).map(([name, check]) => [name, new MonitoredCheck(check)]));
}

/** Runs the checks at the same time; the replies keep the order of the checks. */
async function runAll(
  checks: ReadonlyMap<string, MonitoredCheck>,
): Promise<Readonly<Record<string, CheckReply>>> {
  const replies = [...checks].map(async ([name, check]) => [name, await check.run()] as const);
  return Object.fromEntries(await Promise.all(replies));
}

function toReply(
  checks: Readonly<Record<string, CheckReply>>,
  status: { readonly passed: string; readonly failed: string },
): HealthReply {
  const isOk = Object.values(checks).every(({ ok }) => ok);
  return {
    status: isOk ? 200 : 503,
    body: { status: isOk ? status.passed : status.failed, checks },
  };
}

/**
 * A health check with its last change. The check runs at most once at a time: probes that arrive meanwhile share its
 * result, so a check that hangs holds the memory of one run only.
 */
class MonitoredCheck {
  readonly #check: HealthCheck;
  #pending: Promise<string | undefined> | undefined;
  #isOk: boolean | undefined;
  #since = new Date();

  constructor(check: HealthCheck) {
    this.#check = check;
  }

  async run(): Promise<CheckReply> {
    // `finally` runs in a later microtask, so the field is cleared after it was set even if the check throws at once.
    this.#pending ??= this.#start().finally(() => {
      this.#pending = undefined;
    });
    const why = await pTimeout(this.#pending, {
      milliseconds: CHECK_TIMEOUT_MS,
      fallback: () => `no answer within ${CHECK_TIMEOUT_MS} ms`,
    });
    const isOk = why === undefined;
    if (this.#isOk !== isOk) this.#since = new Date();
    this.#isOk = isOk;
    const since = this.#since.toISOString();
    return isOk ? { ok: true, since } : { ok: false, since, why };
  }

  async #start(): Promise<string | undefined> {
    try {
      return await this.#check();
    } catch {
      return 'the check failed';
    }
  }
}

export interface Dependencies {
  readonly isStoreUp: () => Promise<boolean>;
  /** The part that holds the broker's connections; undefined until the topology is asserted. */
  readonly broker: () =>
    | { readonly isUp: boolean; readonly topologyFault?: string | undefined }
    | undefined;
}

/** @returns the readiness checks of a service that needs the database and the broker. */
export function dependencyChecks({
  isStoreUp,
  broker,
}: Dependencies): Readonly<Record<'store' | 'channel' | 'topology', HealthCheck>> {
  return {
    store: async () => ((await isStoreUp()) ? undefined : 'does not answer a ping'),
    channel: () => (broker()?.isUp === true ? undefined : 'a channel to the broker is not open'),
    topology: () => {
      const asserted = broker();
      return asserted === undefined ? 'not asserted yet' : asserted.topologyFault;
    },
  };
}
