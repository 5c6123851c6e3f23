/** What is done to each consumer, and what is counted. Each scenario has a virtual host of its own. */
import { eventually } from '@fit/stack/testing';
import { BrokerProxy, type Handover } from './brokerProxy.ts';
import { askPublisher } from './libraries.ts';
import {
  DEAD_LETTER_QUEUE,
  type DeadLetter,
  ScenarioBroker,
  type ScenarioVhost,
} from './scenarioBroker.ts';
import type { Mail } from './work.ts';
import { type Command, Ledger, type ReportedStep, WorkerProcess } from './workerProcess.ts';

/** A measurement ends when nothing happens any more and every message has an end, */
const QUIET_MS = 1_000;
/** or when nothing happens for longer than the longest wait, so that a message without an end is lost. */
const LOST_QUIET_MS = 5_000;
const SETTLE_DEADLINE_MS = 120_000;
const START_DEADLINE_MS = 30_000;
/** A worker that has not finished by then does not come back by itself. */
const COME_BACK_DEADLINE_MS = 60_000;
const MESSAGE_COUNT = 200;
const INNOCENT_COUNT = 50;
/** More deaths than any limit of the libraries allows. */
const CRASH_BOUND = 30;
/** First attempt and one for each wait. */
const ATTEMPTS = 4;

/** A message has one end: it was sent, or it is a dead letter. */
export interface Losses {
  /** Messages without an end. */
  readonly lost: number;
  /** Messages with more than one end. */
  readonly doubled: number;
}

export interface KillResult extends Losses {
  readonly kills: number;
  /** Messages that still waited in a queue after two minutes; they are not lost. */
  readonly unfinished: number;
  /** Messages whose handler was told another attempt than one more than the failures before. */
  readonly miscounted: number;
  /** Whether the dead letter of a fatal message tells the error. */
  readonly tellsFatalError: boolean;
  /** The attempt whose error the dead letter of an exhausted message tells. */
  readonly toldErrorOfExhausted: 'last' | 'earlier' | 'none';
}

export interface HandoverResult extends Losses {
  readonly kills: number;
  /** How the worker gave the message on; undefined if it kept it in memory. */
  readonly handover: Handover | undefined;
}

export interface PoisonResult {
  readonly isDeadLettered: boolean;
  readonly crashes: number;
  readonly innocentDeadLetters: number;
  /** Innocent messages whose handler was told a later attempt than the first. */
  readonly innocentAttemptsSpent: number;
  readonly lostInnocents: number;
}

export interface RestartResult extends Losses {
  /** True if the same process handled the rest within a minute. */
  readonly comesBack: boolean;
  /** From the broker's readiness to the first handler; undefined if it did not come back. */
  readonly backAfterMs: number | undefined;
}

export interface WaitResult {
  /** How long the message with the wait of 100 ms waited, behind one that waits 2,500 ms. */
  readonly shortWaitMs: number;
}

export interface UnknownKeyResult {
  /** What the library tells the publisher; begins with told or silent. */
  readonly answer: string;
}

export interface StopResult {
  readonly endsByItself: boolean;
  /** Messages that were handled and then delivered again. */
  readonly handledAgain: number;
}

function mailOf(id: string, options: Partial<Mail> = {}): Mail {
  return {
    id,
    to: 'ann',
    failures: 0,
    durationMs: 5,
    isFatal: false,
    isPoison: false,
    freezesProcess: 0,
    ...options,
  };
}

/** The workers of one scenario, one after the other. */
class Scenario {
  readonly ledger = new Ledger();
  readonly broker: ScenarioBroker;
  readonly #command: Command;
  readonly #ids: string[] = [];
  worker: WorkerProcess | undefined;
  startCount = 0;
  #busyAtMs = Date.now();
  #seenCount = 0;

  constructor(command: Command, vhost: ScenarioVhost) {
    this.#command = command;
    this.broker = new ScenarioBroker(vhost);
  }

  /** The messages that must have an end; the first one, which shows that the consumer is ready, is not among them. */
  get ids(): readonly string[] {
    return this.#ids;
  }

  start(amqpUrl = this.broker.amqpUrl): WorkerProcess {
    this.startCount += 1;
    this.worker = new WorkerProcess({
      command: this.#command,
      amqpUrl,
      number: this.startCount,
      ledger: this.ledger,
    });
    return this.worker;
  }

  /** Starts the first worker and waits until it handles messages. */
  async startFirst(): Promise<void> {
    this.start();
    await eventually(
      async () => {
        await this.broker.publish([mailOf('warm-up')]);
        return true;
      },
      { deadlineMs: START_DEADLINE_MS, intervalMs: 100, describe: () => this.describe() },
    );
    await this.until(() => this.ledger.count('sent', 'warm-up') > 0);
  }

  async publish(mails: readonly Mail[], malformedIds: readonly string[] = []): Promise<void> {
    this.#ids.push(...mails.map(({ id }) => id), ...malformedIds);
    await this.broker.publish(mails, malformedIds);
  }

  async until(isReached: () => boolean): Promise<void> {
    await eventually(isReached, {
      deadlineMs: SETTLE_DEADLINE_MS,
      intervalMs: 5,
      describe: () => this.describe(),
    });
  }

  /** Waits until nothing happens any more. @throws Error at the deadline. */
  async settle(deadlineMs = SETTLE_DEADLINE_MS): Promise<void> {
    this.#busyAtMs = Date.now();
    await eventually(() => this.isQuiet(), {
      deadlineMs,
      intervalMs: 50,
      describe: () => this.describe(),
    });
  }

  async isQuiet(): Promise<boolean> {
    const { reports } = this.ledger;
    const depths = await this.broker.depths().catch(() => undefined);
    const readyCount = readyOf(depths ?? new Map());
    const isBusy = depths === undefined || readyCount > 0 || this.#runningCount > 0;
    if (isBusy || reports.length !== this.#seenCount) this.#busyAtMs = Date.now();
    this.#seenCount = reports.length;
    const sentIds = new Set(
      reports.filter(({ event, id }) => event === 'sent' && id !== 'warm-up').map(({ id }) => id),
    );
    const deadCount = depths?.get(DEAD_LETTER_QUEUE) ?? 0;
    const areAllEnded = sentIds.size + deadCount >= this.#ids.length;
    return Date.now() - this.#busyAtMs >= (areAllEnded ? QUIET_MS : LOST_QUIET_MS);
  }

  /** Messages that are ready in a queue other than the dead-letter queue. */
  async waitingCount(): Promise<number> {
    return readyOf(await this.broker.depths());
  }

  /** Stops everything. @returns the dead letters. */
  async end(): Promise<DeadLetter[]> {
    await this.worker?.kill();
    const deadLetters = await this.broker.takeDeadLetters();
    await this.broker.close();
    return deadLetters;
  }

  async describe(): Promise<string> {
    const depths = await this.broker.depths().catch(String);
    const queues = typeof depths === 'string' ? depths : JSON.stringify([...depths]);
    const steps: readonly ReportedStep[] = ['start', 'sent', 'failed', 'frozen'];
    const counts = steps.map((step) => `${this.ledger.count(step)} ${step}`).join(', ');
    return `worker ${this.startCount}: ${counts}; queues: ${queues}; it wrote: ${this.worker?.log ?? ''}`;
  }

  /** Handlers of the present process that have not ended. */
  get #runningCount(): number {
    const own = this.ledger.reports.filter((report) => report.process === this.startCount);
    const starts = own.filter(({ event }) => event === 'start').length;
    return starts - own.filter(({ event }) => event === 'sent' || event === 'failed').length;
  }
}

/** Runs a scenario and ends its worker whatever happens. */
async function inScenario<Result>(
  command: Command,
  vhost: ScenarioVhost,
  run: (scenario: Scenario) => Promise<Result>,
): Promise<Result> {
  const scenario = new Scenario(command, vhost);
  try {
    return await run(scenario);
  } finally {
    await scenario.worker?.kill();
    await scenario.broker.close();
  }
}

function readyOf(depths: ReadonlyMap<string, number>): number {
  return [...depths]
    .filter(([name]) => name !== DEAD_LETTER_QUEUE)
    .reduce((sum, [, count]) => sum + count, 0);
}

function lossesOf(scenario: Scenario, deadLetters: readonly DeadLetter[]): Losses {
  const ends = scenario.ids.map(
    (id) =>
      scenario.ledger.count('sent', id) +
      deadLetters.filter((deadLetter) => deadLetter.id === id).length,
  );
  return {
    lost: ends.filter((count) => count === 0).length,
    doubled: ends.filter((count) => count > 1).length,
  };
}

function isMiscounted({ ledger }: Scenario, id: string, mustFail: boolean): boolean {
  let failures = 0;
  for (const { event, attempt } of ledger.reports.filter((report) => report.id === id)) {
    if (event === 'start' && attempt !== failures + 1) return true;
    if (event === 'failed') failures += 1;
  }
  return mustFail && failures !== ATTEMPTS;
}

/** Kills the worker three times in the middle of 200 messages, some of which fail, are fatal, or are malformed. */
export function killInHandler(command: Command, vhost: ScenarioVhost): Promise<KillResult> {
  return inScenario(command, vhost, async (scenario) => {
    const frozenAt = [30, 90, 150];
    const mails = Array.from({ length: MESSAGE_COUNT - 2 }, (_, index) => {
      const freezesProcess = frozenAt.indexOf(index) + 1;
      if (freezesProcess > 0) return mailOf(`${index}`, { freezesProcess });
      if (index % 25 === 3) return mailOf(`${index}`, { isFatal: true });
      if (index % 40 === 7) return mailOf(`${index}`, { failures: ATTEMPTS });
      return mailOf(`${index}`, { failures: index % 10 === 9 ? 2 : 0 });
    });
    await scenario.startFirst();
    await scenario.publish(mails, ['malformed 1', 'malformed 2']);
    for (const number of frozenAt.keys()) {
      await scenario.until(() => scenario.ledger.count('frozen') > number);
      await scenario.worker?.kill();
      scenario.start();
    }
    const unfinished = await scenario.settle().then(
      () => 0,
      () => scenario.waitingCount(),
    );
    const deadLetters = await scenario.end();
    const fatalIds = mails.filter(({ isFatal }) => isFatal).map(({ id }) => id);
    const exhaustedIds = mails.filter(({ failures }) => failures === ATTEMPTS).map(({ id }) => id);
    const tells = (ids: readonly string[], text: string) =>
      deadLetters.some(({ id, headers }) => ids.includes(id) && headers.includes(text));
    const retryError = 'the mail server is busy at attempt';
    const earlier = tells(exhaustedIds, retryError) ? 'earlier' : 'none';
    const { lost, doubled } = lossesOf(scenario, deadLetters);
    const deadIds = new Set(deadLetters.map(({ id }) => id));
    return {
      lost: Math.max(0, lost - unfinished),
      doubled,
      unfinished,
      kills: frozenAt.length,
      miscounted: mails.filter(({ id, failures }) =>
        isMiscounted(scenario, id, failures === ATTEMPTS && deadIds.has(id)),
      ).length,
      tellsFatalError: tells(fatalIds, 'there is no such address'),
      toldErrorOfExhausted: tells(exhaustedIds, `${retryError} ${ATTEMPTS}`) ? 'last' : earlier,
    };
  });
}

/**
 * Kills the worker between giving a failed message on and acknowledging it.
 * @param failure retry: the message failed once; fatal: no retry can help.
 */
export function killAtHandover(
  command: Command,
  vhost: ScenarioVhost,
  { failure, kills }: { readonly failure: 'retry' | 'fatal'; readonly kills: number },
): Promise<HandoverResult> {
  return inScenario(command, vhost, async (scenario) => {
    await scenario.startFirst();
    await scenario.worker?.stop();
    let handover: Handover | undefined;
    let killCount = 0;
    for (let number = 1; number <= kills; number += 1) {
      const proxy = await BrokerProxy.open(scenario.broker.amqpUrl);
      scenario.start(proxy.urlOf(scenario.broker.amqpUrl));
      await scenario.broker.publish([mailOf('warm-up')]);
      await scenario.until(() => scenario.ledger.count('sent', 'warm-up') > number);
      await scenario.settle();
      const id = `${failure} ${number}`;
      const given = proxy.arm().then((way) => {
        handover = way;
      });
      await scenario.publish([
        failure === 'retry' ? mailOf(id, { failures: 1 }) : mailOf(id, { isFatal: true }),
      ]);
      const isKeptInMemory = () => scenario.ledger.find('sent', id) !== undefined;
      await Promise.race([given, scenario.until(isKeptInMemory)]);
      // Without a hand-over there is no such moment to kill at.
      if (handover === undefined) await scenario.settle();
      else killCount += 1;
      await scenario.worker?.kill();
      proxy.close();
    }
    scenario.start();
    await scenario.settle();
    return { ...lossesOf(scenario, await scenario.end()), kills: killCount, handover };
  });
}

/** One message ends every process that takes it; the worker is started again each time. */
export function poison(command: Command, vhost: ScenarioVhost): Promise<PoisonResult> {
  return inScenario(command, vhost, async (scenario) => {
    await scenario.startFirst();
    const innocents = Array.from({ length: INNOCENT_COUNT }, (_, index) =>
      mailOf(`innocent ${index}`, { durationMs: 20 }),
    );
    const mails = innocents.toSpliced(5, 0, mailOf('poison', { isPoison: true }));
    await scenario.publish(mails);
    let crashes = 0;
    while (crashes < CRASH_BOUND) {
      const { worker } = scenario;
      const end = await eventually(
        async () => {
          if (worker?.hasEnded === true) return 'crashed';
          return (await scenario.isQuiet()) ? 'quiet' : undefined;
        },
        { deadlineMs: SETTLE_DEADLINE_MS, intervalMs: 20, describe: () => scenario.describe() },
      );
      if (end === 'quiet') break;
      crashes += 1;
      scenario.start();
    }
    const deadIds = (await scenario.end()).map(({ id }) => id);
    const { reports } = scenario.ledger;
    const isSpent = (id: string) =>
      reports.some((report) => report.id === id && report.event === 'start' && report.attempt > 1);
    const isInnocentDead = (id: string) => deadIds.includes(id);
    return {
      isDeadLettered: deadIds.includes('poison'),
      crashes,
      innocentDeadLetters: innocents.filter(({ id }) => isInnocentDead(id)).length,
      innocentAttemptsSpent: innocents.filter(({ id }) => isSpent(id)).length,
      lostInnocents: innocents.filter(
        ({ id }) => !isInnocentDead(id) && scenario.ledger.count('sent', id) === 0,
      ).length,
    };
  });
}

/** Stops the broker and starts it again in the middle of 200 messages. */
export function restartBroker(
  command: Command,
  vhost: ScenarioVhost,
  restart: () => Promise<void>,
): Promise<RestartResult> {
  return inScenario(command, vhost, async (scenario) => {
    await scenario.startFirst();
    await scenario.publish(
      Array.from({ length: MESSAGE_COUNT }, (_, index) =>
        mailOf(`${index}`, { durationMs: 50, failures: index % 10 === 9 ? 2 : 0 }),
      ),
    );
    await scenario.until(() => scenario.ledger.count('sent') > MESSAGE_COUNT / 4);
    await restart();
    const readyAtMs = Date.now();
    const { worker } = scenario;
    const goesOn = await scenario.settle(COME_BACK_DEADLINE_MS).then(
      () => true,
      () => false,
    );
    const first = scenario.ledger.reports.find(
      ({ event, atMs }) => event === 'start' && atMs > readyAtMs,
    );
    const comesBack = goesOn && worker?.hasEnded === false;
    if (!comesBack) {
      await worker?.kill();
      scenario.start();
      await scenario.settle();
    }
    return {
      ...lossesOf(scenario, await scenario.end()),
      comesBack,
      backAfterMs: comesBack && first !== undefined ? first.atMs - readyAtMs : undefined,
    };
  });
}

/** Lets one message wait 2,500 ms, then measures how long another one waits that is due after 100 ms. */
export function longWaitFirst(command: Command, vhost: ScenarioVhost): Promise<WaitResult> {
  return inScenario(command, vhost, async (scenario) => {
    const { ledger } = scenario;
    await scenario.startFirst();
    await scenario.publish([mailOf('long', { failures: ATTEMPTS - 1 })]);
    await scenario.until(() => ledger.find('failed', 'long', ATTEMPTS - 1) !== undefined);
    await scenario.publish([mailOf('short', { failures: 1 })]);
    await scenario.until(() => ledger.find('start', 'short', 2) !== undefined);
    const failedAtMs = ledger.find('failed', 'short', 1)?.atMs ?? 0;
    const startedAtMs = ledger.find('start', 'short', 2)?.atMs ?? 0;
    return { shortWaitMs: startedAtMs - failedAtMs };
  });
}

/** Asks the worker to stop while its handlers run. */
export function stopWhileBusy(command: Command, vhost: ScenarioVhost): Promise<StopResult> {
  return inScenario(command, vhost, async (scenario) => {
    await scenario.startFirst();
    await scenario.publish(
      Array.from({ length: 30 }, (_, index) => mailOf(`${index}`, { durationMs: 300 })),
    );
    await scenario.until(() => scenario.ledger.count('start') > 5);
    const endsByItself = (await scenario.worker?.stop()) === true;
    scenario.start();
    await scenario.settle();
    await scenario.end();
    const handledAgain = scenario.ids.filter((id) => scenario.ledger.count('start', id) > 1).length;
    return { endsByItself, handledAgain };
  });
}

/** Publishes a message with a key that nobody is bound to, by the publisher of the same library. */
export function unknownKey(
  { consumer, publisher }: { readonly consumer: Command; readonly publisher: Command },
  vhost: ScenarioVhost,
): Promise<UnknownKeyResult> {
  return inScenario(consumer, vhost, async (scenario) => {
    await scenario.startFirst();
    return { answer: await askPublisher(publisher, scenario.broker.amqpUrl) };
  });
}
