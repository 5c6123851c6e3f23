/** What a process says of itself: alive, and ready for work. Every question has a deadline, so an answer always comes. */

/** What holds; undefined. What does not: why, in words that may be shown to anybody. A rejection is a plain no. */
export type Check = () => Promise<string | undefined> | string | undefined;

export interface HealthOptions {
  /** Aborted by the first signal to stop: from then on the process drains. */
  readonly stopping: AbortSignal;
  /** What must hold before work is sent here; dependencies are asked. */
  readonly ready: Readonly<Record<string, Check>>;
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
  readonly #ready: ReadonlyMap<string, Question>;
  readonly #alive: ReadonlyMap<string, Question>;

  constructor({ stopping, ready, alive = {} }: HealthOptions) {
    this.#stopping = stopping;
    const accepting = () => (stopping.aborted ? DRAINING : undefined);
    this.#ready = questionsOf({ ...ready, accepting });
    // Who reads the answer knows that the loop turns.
    this.#alive = questionsOf({ loop: () => undefined, ...alive });
    // Asked at once, so that it is known since when.
    stopping.addEventListener('abort', () => void this.#ready.get('accepting')?.ask());
  }

  get isDraining(): boolean {
    return this.#stopping.aborted;
  }

  async ready(): Promise<HealthReply> {
    const words = { yes: 'ready', no: this.isDraining ? 'draining' : 'not ready' };
    return await replyOf(this.#ready, words);
  }

  async alive(): Promise<HealthReply> {
    return await replyOf(this.#alive, { yes: 'alive', no: 'stuck' });
  }
}

function questionsOf(checks: Readonly<Record<string, Check>>): Map<string, Question> {
  return new Map(Object.entries(checks).map(([name, check]) => [name, new Question(check)]));
}

async function replyOf(
  questions: ReadonlyMap<string, Question>,
  words: { readonly yes: string; readonly no: string },
): Promise<HealthReply> {
  const names = [...questions.keys()];
  const replies = await Promise.all([...questions.values()].map((question) => question.ask()));
  const isOk = replies.every(({ ok }) => ok);
  const checks = Object.fromEntries(replies.map((reply, index) => [names[index] ?? '', reply]));
  return { status: isOk ? 200 : 503, body: { status: isOk ? words.yes : words.no, checks } };
}

/** One check, asked once at a time however many want to know: one that hangs costs no memory. */
class Question {
  readonly #check: Check;
  #pending: Promise<string | undefined> | undefined;
  #isOk: boolean | undefined;
  #since = new Date();

  constructor(check: Check) {
    this.#check = check;
  }

  async ask(): Promise<CheckReply> {
    const why = await this.#answer();
    const isOk = why === undefined;
    if (this.#isOk !== isOk) this.#since = new Date();
    this.#isOk = isOk;
    return { ok: isOk, since: this.#since.toISOString(), ...(isOk ? {} : { why }) };
  }

  async #answer(): Promise<string | undefined> {
    this.#pending ??= this.#begin();
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
    } finally {
      this.#pending = undefined;
    }
  }
}
