/** The summary as a table for a README. Pure. */
import { AIMS, type Comparison, type Lateness, type TopologySummary } from './summariseTopology.ts';

export function renderTopology(summary: TopologySummary): string {
  const { lateness, consume, publish } = summary;
  const rows = [
    [
      `nack to next attempt, less the tier, p50 / p99 / max, at ${lateness.fit.perSecond} retries/s`,
      renderLateness(lateness.fit),
      renderLateness(lateness.bare),
      '',
      `p99 < ${AIMS.latenessP99Ms} ms: ${verdict(lateness.passes)}`,
    ],
    ['consume and ack, messages/s', ...renderComparison(consume, AIMS.consumeRatio)],
    ['publish with confirm, messages/s', ...renderComparison(publish, AIMS.publishRatio)],
  ];
  const lines = rows.map((cells) => `| ${cells.join(' | ')} |`);
  const head = [
    '| what | FIT | bare amqplib | ratio (lowest to highest) | aim |',
    '|---|---|---|---|---|',
  ];
  return [...head, ...lines].join('\n');
}

function renderLateness({ p50, p99, max }: Lateness): string {
  return `${p50} / ${p99} / ${max} ms`;
}

function renderComparison(comparison: Comparison, aim: number): string[] {
  const { fitPerSecond, barePerSecond, ratio, lowestRatio, highestRatio, passes } = comparison;
  return [
    String(fitPerSecond),
    String(barePerSecond),
    `${ratio} (${lowestRatio} to ${highestRatio})`,
    `≥ ${aim}: ${verdict(passes)}`,
  ];
}

function verdict(passes: boolean): string {
  return passes ? 'pass' : 'fail';
}
