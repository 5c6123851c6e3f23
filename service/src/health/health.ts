/** What a process says of itself: alive, and ready for work. Every question has a deadline, so an answer always comes. */

/** What holds; undefined. What does not: why, in words that may be shown to anybody. A rejection is a plain no. */
export type HealthCheck = () => Promise<string | undefined> | string | undefined;

export interface HealthOptions {
  /** Aborted by the first signal to stop: from then on the process drains. */
  readonly stopping: AbortSignal;
  /** What must hold before work is sent here; dependencies are asked. */
  readonly ready: Readonly<Record<string, HealthCheck>>;
  /** What a restart would mend; no dependency is asked, or one outage would restart everything. */
  readonly alive?: Readonly<Record<string, () => string | undefined>>;
}

export interface CheckReply {
  readonly ok: boolean;
  /** Since when it is so; ISO time. */
  readonly since: string;
  readonly why?: string;
}

export interface HealthReply {
  readonly status: 200 | 503;
  readonly body: {
    readonly status: string;
    readonly checks: Readonly<Record<string, CheckReply>>;
  };
}

const DEADLINE_MS = 1_000;
const DRAINING = 'told to stop: finishes what runs and takes nothing new';

export class Health {
  readonly #stopping: AbortSignal;
  readonly #ready: ReadonlyMap<string, MonitoredCheck>;
  readonly #accepting: MonitoredCheck;
  readonly #alive: ReadonlyMap<string, MonitoredCheck>;

  constructor({ stopping, ready, alive = {} }: HealthOptions) {
    this.#stopping = stopping;
    this.#ready = questionsOf(ready);
    this.#accepting = new MonitoredCheck(() => (stopping.aborted ? DRAINING : undefined));
    // Who reads the answer knows that the loop turns.
    this.#alive = questionsOf({ loop: () => undefined, ...alive });
    // Asked at once, so that it is known since when.
    stopping.addEventListener('abort', () => void this.#accepting.run());
  }

  get isDraining(): boolean {
    return this.#stopping.aborted;
  }

  async ready(): Promise<HealthReply> {
    const others = await askAll(this.#ready);
    // Asked last: the signal may come while a dependency is waited for, and the answer is of now.
    const accepting = await this.#accepting.run();
    const no = accepting.ok ? 'not ready' : 'draining';
    return replyOf({ ...others, accepting }, { yes: 'ready', no });
  }

  async alive(): Promise<HealthReply> {
    return replyOf(await askAll(this.#alive), { yes: 'alive', no: 'stuck' });
  }
}

function questionsOf(checks: Readonly<Record<string, HealthCheck>>): Map<string, MonitoredCheck> {
  return new Map(Object.entries(checks).map(([name, check]) => [name, new MonitoredCheck(check)]));
}

/** All at once, in their order. */
async function askAll(
  questions: ReadonlyMap<string, MonitoredCheck>,
): Promise<Readonly<Record<string, CheckReply>>> {
  const replies = [...questions].map(async ([name, one]) => [name, await one.run()] as const);
  return Object.fromEntries(await Promise.all(replies));
}

function replyOf(
  checks: Readonly<Record<string, CheckReply>>,
  words: { readonly yes: string; readonly no: string },
): HealthReply {
  const isOk = Object.values(checks).every(({ ok }) => ok);
  return { status: isOk ? 200 : 503, body: { status: isOk ? words.yes : words.no, checks } };
}

/** One check, asked once at a time however many want to know: one that hangs costs no memory. */
class MonitoredCheck {
  readonly #check: HealthCheck;
  #pending: Promise<string | undefined> | undefined;
  #isOk: boolean | undefined;
  #since = new Date();

  constructor(check: HealthCheck) {
    this.#check = check;
  }

  async run(): Promise<CheckReply> {
    const why = await this.#answer();
    const isOk = why === undefined;
    if (this.#isOk !== isOk) this.#since = new Date();
    this.#isOk = isOk;
    return { ok: isOk, since: this.#since.toISOString(), ...(isOk ? {} : { why }) };
  }

  async #answer(): Promise<string | undefined> {
    // Cleared in a turn of its own, thus after it is set: also where the check throws at once.
    this.#pending ??= this.#begin().finally(() => {
      this.#pending = undefined;
    });
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<string>((resolve) => {
      timer = setTimeout(() => {
        resolve(`no answer within ${DEADLINE_MS} ms`);
      }, DEADLINE_MS);
    });
    try {
      return await Promise.race([this.#pending, deadline]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #begin(): Promise<string | undefined> {
    try {
      return await this.#check();
    } catch {
      return 'the question failed';
    }
  }
}
