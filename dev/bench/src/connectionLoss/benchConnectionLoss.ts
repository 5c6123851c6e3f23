/** What a lost connection costs a worker, in time. A claim that is checked: exit code 1 where it costs too much. */
import { parseArgs } from 'node:util';
import { describeMachine } from '../describeMachine.ts';
import { readCount } from '../readCount.ts';
import { round } from '../statistics.ts';
import { onOwnBroker } from '../topology/onOwnBroker.ts';
import { type LossSize, measureConnectionLoss } from './measureConnectionLoss.ts';

const USAGE = `npm run bench -- connection-loss [--messages N] [--work MS] [--prefetch N] [--losses N] [--json] [--help]

  --messages N  in the queue, default 600
  --work MS     that each handler takes, default 1000
  --prefetch N  which is also how many handlers run at a time, default 50
  --losses N    how often all connections are reset, default 1
  --json        the figures as JSON only

Exit code 1: each loss costs more than a fifth of the time without, or a message was dead-lettered.`;

/** Of the time without a loss, for each loss. */
const COST_LIMIT_RATIO = 0.2;

export async function benchConnectionLoss(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      messages: { type: 'string', default: '600' },
      work: { type: 'string', default: '1000' },
      prefetch: { type: 'string', default: '50' },
      losses: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const size: LossSize = {
    messageCount: readCount('messages', values.messages),
    workMs: readCount('work', values.work),
    prefetchCount: readCount('prefetch', values.prefetch),
  };
  const lossCount = readCount('losses', values.losses);
  const { without, withLoss } = await onOwnBroker(async (stack) => ({
    without: await measureConnectionLoss(stack, size, 0),
    withLoss: await measureConnectionLoss(stack, size, lossCount),
  }));
  const ratio = round(withLoss.durationMs / without.durationMs);
  const limit = round(1 + COST_LIMIT_RATIO * lossCount);
  const isGood = ratio <= limit && withLoss.deadCount === 0 && withLoss.cutCount > 0;
  if (!values.json)
    process.stdout.write(
      [
        describeMachine(),
        `without a loss: ${seconds(without.durationMs)}`,
        `with ${lossCount}: ${seconds(withLoss.durationMs)}, ${withLoss.runCount - size.messageCount} run twice, ${withLoss.deadCount} dead-lettered`,
        `ratio ${ratio}, at most ${limit}: ${isGood ? 'kept' : 'broken'}`,
        '',
      ].join('\n'),
    );
  process.stdout.write(`${JSON.stringify({ size, lossCount, without, withLoss, ratio, limit })}\n`);
  if (!isGood) process.exitCode = 1;
}

function seconds(durationMs: number): string {
  return `${round(durationMs / 1_000)} s`;
}
