/** `topology dlq`: the dead-letter desk. */
import { type Command, type Context, UsageError } from '../command.ts';
import { runLs } from './dlq/ls.ts';
import { runReplay } from './dlq/replay.ts';
import { runShow } from './dlq/show.ts';

/** The options that a subcommand takes; any other is a mistake, not a thing to pass over. */
interface Subcommand {
  readonly run: (context: Context) => Promise<number>;
  readonly options: readonly string[];
}

const FILTER = ['kind', 'cause', 'class', 'since', 'until', 'id', 'header', 'limit'] as const;

const SUBCOMMANDS: Readonly<Record<string, Subcommand>> = {
  ls: { run: runLs, options: [...FILTER, 'look'] },
  show: { run: runShow, options: ['kind', 'full', 'look'] },
  replay: {
    run: runReplay,
    options: [...[...FILTER, 'dry-run', 'rate', 'order'], ...['max-refailures', 'wait', 'look']],
  },
};

const USAGE = `topology dlq <subcommand> [options]: the letters in the dead-letter queues

  ls                     groups by cause and fingerprint; nothing is consumed; the order
                         stays unless another reader takes letters at the same time
  show ID                one letter whole (--full: however long)
  replay                 letters to the public exchange, with all their attempts; each is acked
                         once its copy is confirmed
    --dry-run            only says what would be done
    --rate N[/s]         letters per second (default: as fast as they are confirmed)
    --order oldest|newest
    --max-refailures N   stops after N that came back dead from this run (default 50)
    --wait               waits until all are gone or back

  Which letters; all that is given must hold:
  --kind K               kind of job                 --id ID          message id
  --cause C              exhausted, fatal, ...       --class CLASS    the worker's error class
  --since, --until T     ISO time, or ago: 2h, 7d    --header A=B     repeatable
  --limit N              this many of them
  --look N               letters held at a time (default 10,000); ls and show see no more`;

export const dlq: Command = {
  name: 'dlq',
  summary: 'dead letters: ls, show, replay',
  usage: USAGE,
  options: {
    kind: { type: 'string' },
    cause: { type: 'string' },
    class: { type: 'string' },
    since: { type: 'string' },
    until: { type: 'string' },
    id: { type: 'string' },
    header: { type: 'string', multiple: true },
    limit: { type: 'string' },
    look: { type: 'string' },
    full: { type: 'boolean' },
    'dry-run': { type: 'boolean' },
    rate: { type: 'string' },
    order: { type: 'string' },
    'max-refailures': { type: 'string' },
    wait: { type: 'boolean' },
  },
  run: async (context) => {
    const [word = '', ...words] = context.words;
    const subcommand = Object.hasOwn(SUBCOMMANDS, word) ? SUBCOMMANDS[word] : undefined;
    if (subcommand === undefined)
      throw new UsageError(`'${word}' is none of ${Object.keys(SUBCOMMANDS).join(', ')}`);
    const strange = Object.keys(dlq.options).find(
      (name) => context.values[name] !== undefined && !subcommand.options.includes(name),
    );
    if (strange !== undefined)
      throw new UsageError(
        `dlq ${word} takes no --${strange}; it takes ${subcommand.options.map((name) => `--${name}`).join(' ')}`,
      );
    return await subcommand.run({ ...context, words });
  },
};
