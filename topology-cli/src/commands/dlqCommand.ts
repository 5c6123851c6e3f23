/** `topology dlq`: lists, shows and replays dead letters. */
import { type Command, type CommandContext, UsageError } from '../command.ts';
import { listDeadLetters } from './dlq/listDeadLetters.ts';
import { replayCommand } from './dlq/republishCommand.ts';
import { showDeadLetter } from './dlq/showDeadLetter.ts';

interface Subcommand {
  readonly run: (context: CommandContext) => Promise<number>;
  /** Options that the subcommand takes; any other option of `dlq` is refused rather than ignored. */
  readonly options: readonly string[];
}

const FILTER = ['kind', 'cause', 'class', 'since', 'until', 'id', 'header', 'limit'] as const;

const SUBCOMMANDS: Readonly<Record<string, Subcommand>> = {
  ls: { run: listDeadLetters, options: [...FILTER, 'read-limit'] },
  show: { run: showDeadLetter, options: ['kind', 'full', 'read-limit'] },
  replay: {
    run: replayCommand,
    options: [...FILTER, 'dry-run', 'rate', 'order', 'max-refailures', 'wait', 'read-limit'],
  },
};

export const dlq: Command = {
  name: 'dlq',
  summary: 'lists, shows and replays dead letters: ls, show, replay',
  usage: `topology dlq <subcommand> [options]: works on the messages of the dead-letter queues

  ls                     lists them in groups of equal cause and fingerprint; consumes nothing. Their order is kept,
                         unless another reader takes messages at the same time
  show ID                shows one in full (--full: however long it is)
  replay                 publishes them to the public exchange with all their attempts; each is acknowledged once
                         the broker has confirmed its copy
    --dry-run            reports what would be replayed, and replays nothing
    --rate N[/s]         messages per second (default: as fast as the broker confirms them)
    --order oldest|newest  which are replayed first (default oldest)
    --max-refailures N   stops once N replayed messages have died again (default 50)
    --wait               waits until all replayed messages are done or dead

  Conditions; a message must meet all that are given:
  --kind K               queue, as declared          --id ID          message id
  --cause C              exhausted, fatal, ...       --class CLASS    class of the worker's error
  --since, --until T     ISO time, or age: 2h, 7d    --header A=B     repeatable
  --limit N              at most N messages
  --read-limit N         messages held at a time (default 10,000); ls and show read no more

  Exit code 2: ls could not read a message; show found none; replay left matching messages, or some died again.`,
  options: {
    kind: { type: 'string' },
    cause: { type: 'string' },
    class: { type: 'string' },
    since: { type: 'string' },
    until: { type: 'string' },
    id: { type: 'string' },
    header: { type: 'string', multiple: true },
    limit: { type: 'string' },
    'read-limit': { type: 'string' },
    full: { type: 'boolean' },
    'dry-run': { type: 'boolean' },
    rate: { type: 'string' },
    order: { type: 'string' },
    'max-refailures': { type: 'string' },
    wait: { type: 'boolean' },
  },
  run: async (context) => {
    const [name = '', ...positionals] = context.positionals;
    const subcommand = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
    if (subcommand === undefined)
      throw new UsageError(`'${name}' is none of ${Object.keys(SUBCOMMANDS).join(', ')}`);
    const refused = Object.keys(dlq.options).find(
      (option) => context.options[option] !== undefined && !subcommand.options.includes(option),
    );
    if (refused !== undefined)
      throw new UsageError(
        `dlq ${name} takes no --${refused}; it takes ${subcommand.options.map((option) => `--${option}`).join(' ')}`,
      );
    return await subcommand.run({ ...context, positionals });
  },
};
