/** Runs the scenarios with one library. */
import { countLines, type Library } from './libraries.ts';
import type { ScenarioVhost } from './scenarioBroker.ts';
import {
  killAtHandover,
  killInHandler,
  longWaitFirst,
  poison,
  restartBroker,
  stopWhileBusy,
  unknownKey,
} from './scenarios.ts';

/** What scenarios run on. */
export interface Surroundings {
  /** Makes a virtual host that nothing else uses. */
  readonly makeVhost: () => Promise<ScenarioVhost>;
  /** Stops the broker and starts it again. */
  readonly restartBroker: () => Promise<void>;
  /** Is called with a line for people after each scenario. */
  readonly onProgress: (line: string) => void;
}

const HANDOVER_KILLS = 3;

/** Everything that is measured of one library. */
export type Measured = Awaited<ReturnType<typeof measure>>;

export async function measure(library: Library, surroundings: Surroundings) {
  const { name, consumer, publisher } = library;
  const run = async <Result>(
    scenario: string,
    start: (vhost: ScenarioVhost) => Promise<Result>,
  ): Promise<Result> => {
    const result = await start(await surroundings.makeVhost());
    surroundings.onProgress(`${name}, ${scenario}: ${JSON.stringify(result)}`);
    return result;
  };
  return {
    name,
    version: library.version,
    lines: countLines(library),
    kill: await run('kill in a handler', (vhost) => killInHandler(consumer, vhost)),
    retryHandover: await run('kill at a retry', (vhost) =>
      killAtHandover(consumer, vhost, { failure: 'retry', kills: HANDOVER_KILLS }),
    ),
    fatalHandover: await run('kill at a dead letter', (vhost) =>
      killAtHandover(consumer, vhost, { failure: 'fatal', kills: HANDOVER_KILLS }),
    ),
    unknownKey: await run('unknown key', (vhost) => unknownKey({ consumer, publisher }, vhost)),
    poison: await run('poison message', (vhost) => poison(consumer, vhost)),
    restart: await run('broker restart', (vhost) =>
      restartBroker(consumer, vhost, surroundings.restartBroker),
    ),
    longWait: await run('long wait first', (vhost) => longWaitFirst(consumer, vhost)),
    stop: await run('stop', (vhost) => stopWhileBusy(consumer, vhost)),
  };
}
