/** The comparison as Markdown: measured figures, where FIT is not the best, notes, and what others document. */
import { DOCUMENTED_LIBRARIES, DOCUMENTED_ROWS } from './documented.ts';
import type { Library } from './libraries.ts';
import type { Measured } from './measure.ts';
import type { HandoverResult } from './scenarios.ts';

export interface Comparison {
  /** Date, machine and versions; one line each. */
  readonly setting: readonly string[];
  readonly libraries: readonly Library[];
  /** In the order of `libraries`; FIT is the first. */
  readonly measured: readonly Measured[];
  /** Libraries that could not be measured here, with the reason. */
  readonly missing: readonly string[];
}

interface Row {
  readonly name: string;
  readonly cell: (measured: Measured) => string;
  /** Lower is better; undefined where a difference is no merit, such as a few milliseconds. */
  readonly badness?: (measured: Measured) => number;
}

const yesNo = (isSo: boolean) => (isSo ? 'yes' : 'no');

function describeHandover({ handover, kills, doubled, lost }: HandoverResult): string {
  if (handover === undefined) return 'no such moment: kept in memory';
  const lostText = lost === 0 ? '' : `, ${lost} lost`;
  return `${doubled} of ${kills} (${handover})${lostText}`;
}

const ROWS: readonly Row[] = [
  {
    name: 'lines of the consumer',
    cell: ({ lines }) => String(lines),
    badness: ({ lines }) => lines,
  },
  {
    name: 'worker killed 3 times in a handler, 200 messages: lost, doubled',
    cell: ({ kill }) => `${kill.lost}, ${kill.doubled}`,
    badness: ({ kill }) => kill.lost + kill.doubled,
  },
  {
    name: 'the same: still waiting after two minutes',
    cell: ({ kill }) => String(kill.unfinished),
    badness: ({ kill }) => kill.unfinished,
  },
  {
    name: 'the same: messages whose attempts were counted wrong',
    cell: ({ kill }) => String(kill.miscounted),
    badness: ({ kill }) => kill.miscounted,
  },
  {
    name: 'killed between giving a retry on and acknowledging: doubled',
    cell: ({ retryHandover }) => describeHandover(retryHandover),
    badness: ({ retryHandover }) => retryHandover.doubled + retryHandover.lost,
  },
  {
    name: 'killed between giving a fatal message on and acknowledging: doubled dead letters',
    cell: ({ fatalHandover }) => describeHandover(fatalHandover),
    badness: ({ fatalHandover }) => fatalHandover.doubled + fatalHandover.lost,
  },
  {
    name: 'dead letter of a fatal message tells the error',
    cell: ({ kill }) => yesNo(kill.tellsFatalError),
    badness: ({ kill }) => (kill.tellsFatalError ? 0 : 1),
  },
  {
    name: 'dead letter after the last attempt tells an error',
    cell: ({ kill }) =>
      ({ last: 'yes, of the last attempt', earlier: 'of the attempt before', none: 'no' })[
        kill.toldErrorOfExhausted
      ],
    badness: ({ kill }) => ['last', 'earlier', 'none'].indexOf(kill.toldErrorOfExhausted),
  },
  {
    name: 'a key that nobody is bound to',
    cell: ({ unknownKey }) => unknownKey.answer,
    badness: ({ unknownKey }) => (unknownKey.answer.startsWith('told') ? 0 : 1),
  },
  {
    name: 'message that ends its process: a dead letter',
    cell: ({ poison }) =>
      poison.isDeadLettered
        ? `yes, after ${poison.crashes} crashes`
        : `no (${poison.crashes} crashes)`,
    badness: ({ poison }) => (poison.isDeadLettered ? 0 : 1),
  },
  {
    name: 'the same: of 50 other messages dead-lettered, spent an attempt, lost',
    cell: ({ poison }) =>
      `${poison.innocentDeadLetters}, ${poison.innocentAttemptsSpent}, ${poison.lostInnocents}`,
    badness: ({ poison }) =>
      poison.innocentDeadLetters + poison.innocentAttemptsSpent + poison.lostInnocents,
  },
  {
    name: 'broker restarted within 200 messages: lost',
    cell: ({ restart }) => String(restart.lost),
    badness: ({ restart }) => restart.lost,
  },
  {
    name: 'the same: done twice (10 were in hand)',
    cell: ({ restart }) => String(restart.doubled),
  },
  {
    name: 'the same: comes back by itself, first handler after the broker was ready',
    cell: ({ restart }) =>
      restart.backAfterMs === undefined
        ? yesNo(restart.comesBack)
        : `yes, ${(restart.backAfterMs / 1_000).toFixed(1)} s`,
    badness: ({ restart }) => (restart.comesBack ? 0 : 1),
  },
  {
    name: 'wait of 100 ms behind one of 2,500 ms took',
    cell: ({ longWait }) => `${longWait.shortWaitMs} ms`,
    // Only a wait behind the long one counts as worse.
    badness: ({ longWait }) => (longWait.shortWaitMs > 1_000 ? 1 : 0),
  },
  {
    name: 'SIGTERM while ten handlers run: ends by itself, messages handled again',
    cell: ({ stop }) => `${yesNo(stop.endsByItself)}, ${stop.handledAgain}`,
    badness: ({ stop }) => (stop.endsByItself ? 0 : 1) + stop.handledAgain,
  },
];

/** What must be known to read the figures, whichever library one prefers. */
const READING = [
  'Each figure is of one run. Rows that count kills were the same in two or three runs, but for 8 or 9 other messages dead-lettered beside a poison message, and the exception below. Times, and messages done twice at a restart, vary from run to run and rank nothing: over three runs FIT did 9, 9 and 1 messages twice, rabbitmq-client came back after 4.5, 8.3 and 15.7 s.',
  'All consumers have quorum queues with at-least-once dead-lettering, a delivery limit of 5, ten messages in hand, and waits of 100, 500 and 2,500 ms; those of Spring AMQP are in memory. The delivery limit is what ends a poison message everywhere.',
  'Lines are those of the consumer with imports, without blanks and comments. The handler, the schema and the error class are shared and not counted. This row flatters FIT: this consumer wants what FIT is made for.',
  'The kill in a handler waits 300 ms, so that copies and acknowledgements under way are done. With 50 ms on a busy machine one run doubled 3 messages of rascal: that kill fell between copy and acknowledgement, which is the next row but one.',
  'The kill between hand-over and acknowledgement is made by a proxy between worker and broker, which holds every frame after the first one that gives the message on. One message is in flight then.',
  'Any at-least-once consumer may handle a message twice whose acknowledgement was under way when its connection fell.',
  'Reconnecting is compared with the defaults of each library.',
];

/** @returns the document that `docs/comparison.md` is. */
export function renderComparison({ setting, libraries, measured, missing }: Comparison): string {
  return `${[
    '# How does FIT compare with other libraries?',
    '',
    '<!-- Generated by `npm run compare`; change examples/compare instead. -->',
    '',
    'The same consumer on one broker: three waits, a class of errors that is dead-lettered at once, a schema, dead letters, a graceful',
    'stop. Its sources are in `examples/compare`. `npm run compare` measures every figure of the first table again. Throughput is not compared.',
    '',
    ...setting.map((line) => `- ${line}`),
    '',
    '## Measured',
    '',
    table(
      ['', ...measured.map(({ name, version }) => `${name} ${version}`)],
      ROWS.map(({ name, cell }) => [name, ...measured.map((each) => cell(each))]),
    ),
    '',
    ...missing.map((line) => `Not measured: ${line}.\n`),
    '## Where FIT is not the best',
    '',
    ...renderWeaknesses(measured),
    '',
    '## How to read it',
    '',
    ...READING.map((line) => `- ${line}`),
    ...libraries.flatMap(({ name, notes }) => notes.map((note) => `- ${name}: ${note}`)),
    '',
    '## Not measured: what others document',
    '',
    'From documentation and issues alone, in part from excerpts of the pages. An empty cell means that nothing was found, not that it cannot be done.',
    '',
    table(
      ['', ...DOCUMENTED_LIBRARIES],
      DOCUMENTED_ROWS.map(({ name, cells }) => [
        name,
        ...cells.map((cell) => (cell === undefined ? '' : `${cell.text} ([source](${cell.url}))`)),
      ]),
    ),
    '',
    '## The figures as JSON',
    '',
    '```json',
    JSON.stringify(measured, undefined, 2),
    '```',
  ].join('\n')}\n`;
}

/** @returns a line for each row in which another library is better than the first one. */
export function renderWeaknesses(measured: readonly Measured[]): string[] {
  const [own, ...others] = measured;
  if (own === undefined) return [];
  const lines = ROWS.flatMap(({ name, cell, badness }) => {
    if (badness === undefined) return [];
    const better = others.filter((other) => badness(other) < badness(own));
    if (better.length === 0) return [];
    return `- ${name}: ${cell(own)}; better: ${better.map((each) => `${each.name} (${cell(each)})`).join(', ')}.`;
  });
  return lines.length === 0 ? ['In none of these rows.'] : lines;
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(header), `|${'---|'.repeat(header.length)}`, ...rows.map(line)].join('\n');
}
