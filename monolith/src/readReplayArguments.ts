/** The command line of `npm run replay`. */
import { parseArgs } from 'node:util';
import { wodKeyPattern } from '@fit/contract';
import type { ReplayFilter } from '@fit/jobs';
import { DEATH_CAUSES } from '@fit/topology';

export const REPLAY_USAGE = `npm run replay -- [--dry-run] [--user ID] [--cause CAUSE] [--date YYYY-MM-DD] [--rate N] [--json]

Makes dead jobs pending again, each with a full budget of attempts, and waits until they are done or dead again.

  --dry-run      show what would be replayed; change nothing
  --user ID      only jobs of this user
  --cause CAUSE  only jobs that died of this cause: ${DEATH_CAUSES.join(', ')}
  --date DAY     only jobs of this day
  --rate N       at most N jobs per second, 1 to 100000; default: as many as the database takes
  --json         print one JSON object to standard output; progress goes to standard error
  --help         print this text

AMQP_URL and MONGODB_URL name the servers, as for the services.

Exit code 0: every replayed job is done. 2: some are dead again or still under way. 1: an error.`;

export interface ReplayArguments {
  readonly filter: ReplayFilter;
  readonly isDryRun: boolean;
  readonly isJson: boolean;
  readonly isHelp: boolean;
  /** Undefined: no limit. */
  readonly ratePerSecond: number | undefined;
}

/** @throws Error naming the argument and what would be right. */
export function readReplayArguments(args: readonly string[]): ReplayArguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      'dry-run': { type: 'boolean', default: false },
      user: { type: 'string' },
      cause: { type: 'string' },
      date: { type: 'string' },
      rate: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const cause = DEATH_CAUSES.find((name) => name === values.cause);
  if (values.cause !== undefined && cause === undefined)
    throw new Error(`--cause '${values.cause}' is none of ${DEATH_CAUSES.join(', ')}`);
  const rate = values.rate === undefined ? undefined : Number(values.rate);
  if (rate !== undefined && !(rate >= 1 && rate <= 100_000))
    throw new Error(`--rate '${values.rate}' must be a number from 1 to 100000`);
  const keyPattern = wodKeyPattern({ userId: values.user, date: values.date });
  return {
    filter: {
      ...(keyPattern === undefined ? {} : { keyPattern }),
      ...(cause === undefined ? {} : { cause }),
    },
    isDryRun: values['dry-run'],
    isJson: values.json,
    isHelp: values.help,
    ratePerSecond: rate,
  };
}
