/** The command line of `npm run replay`. */
import { parseArgs } from 'node:util';
import type { ReplayFilter } from '@fit/jobs';
import { DEATH_CAUSES } from '@fit/topology';

export interface ReplayArguments {
  readonly filter: ReplayFilter;
  readonly isDryRun: boolean;
  readonly isJson: boolean;
  readonly isHelp: boolean;
  readonly ratePerSecond: number | undefined;
}

export const REPLAY_USAGE = `npm run replay -- [--dry-run] [--user ID] [--cause CAUSE] [--date YYYY-MM-DD] [--rate N] [--json]

Brings dead jobs back, each with a full budget of attempts, and waits for their end.

  --dry-run      show what would be replayed, change nothing
  --user ID      only jobs of this user
  --cause CAUSE  only jobs that died of: ${DEATH_CAUSES.join(', ')}
  --date DAY     only jobs of this day
  --rate N       at most N jobs per second (default: as fast as the database takes them)
  --json         one JSON object on standard output, progress on standard error

Exit code 0: every replayed job is done. 2: some died again or are still under way. 1: error.`;

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
  return {
    filter: {
      ...(values.user === undefined ? {} : { userId: values.user }),
      ...(cause === undefined ? {} : { cause }),
      ...(values.date === undefined ? {} : { date: values.date }),
    },
    isDryRun: values['dry-run'],
    isJson: values.json,
    isHelp: values.help,
    ratePerSecond: readRate(values.rate),
  };
}

function readRate(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const rate = Number(text);
  if (rate >= 1 && rate <= 100_000) return rate;
  throw new Error(`--rate '${text}' must be a number from 1 to 100000`);
}
