/** Makes METRICS.md from the catalogue of metrics. No I/O. */
import {
  CATALOGUE,
  type LabelBound,
  METRIC_ALIASES,
  type MetricDefinition,
  type MetricSection,
  type ProcessName,
  SERIES_CEILINGS,
} from '@fit/service';

/** The values of labels that are fixed when a process starts. */
const KNOWN_AS = {
  vhost: 'the virtual host',
  queue: 'declared queues',
  mainQueue: 'main queues',
  waitQueue: 'wait queues',
  kind: 'kinds of job',
  route: 'route patterns, or none',
} as const;

/** @returns the text of METRICS.md. */
export function renderMetricsDocument(): string {
  const parts = [head(), plainNames(), ceilings(), ...CATALOGUE.map(section)];
  return `${parts.join('\n\n')}\n`;
}

function head(): string {
  return [
    '# Metrics',
    '',
    'Everything that monolith, coach and cron export, generated from `service/src/metrics/metricCatalogue.ts` by `npm run rules`; a test',
    'compares it with running processes, in both directions. Metrics have a port of their own, and a scrape never waits for a',
    'dependency. Label sets that are known at the start begin at 0 unless the table says otherwise, since `increase()` would miss',
    'the first event. A value outside the bound of its label counts as `other`.',
  ].join('\n');
}

function plainNames(): string {
  const rows = METRIC_ALIASES.map(({ alias, metric, query, difference }) =>
    row([`\`${alias}\``, `\`${metric}\``, `\`${query}\``, difference]),
  );
  return [
    '## The names that people look for first',
    '',
    'They are not exported under both names: two names for one thing cost twice and drift apart.',
    '',
    table(['looked for', 'here', 'for example', 'difference'], rows),
  ].join('\n');
}

function ceilings(): string {
  const rows = Object.entries(SERIES_CEILINGS).map(([name, count]) =>
    row([name, count.toLocaleString('en')]),
  );
  const lead =
    'A process that exports more has a label without a bound; a test checks running processes.';
  return ['## Most series', '', lead, '', table(['process', 'at most'], rows)].join('\n');
}

function section({ title, metrics }: MetricSection): string {
  const rows = Object.entries(metrics).map(([name, definition]) =>
    row([
      `\`${name}\``,
      kindOf(definition),
      Object.entries(definition.labels).map(labelText).join('<br>') || '–',
      processes(definition.exportedBy),
      [definition.help, definition.appearsWhen].filter(Boolean).join('. Label sets: '),
    ]),
  );
  return [`## ${title}`, '', table(['metric', 'kind', 'labels', 'by', 'meaning'], rows)].join('\n');
}

function kindOf({ kind, unit, buckets }: MetricDefinition): string {
  const bounds = buckets === undefined ? '' : `<br>${buckets.join(' ')}`;
  return `${kind}${unit === undefined ? '' : `, ${unit}`}${bounds}`;
}

function labelText([name, bound]: readonly [string, LabelBound]): string {
  return `\`${name}\`: ${boundText(bound)}`;
}

function boundText(bound: LabelBound): string {
  if ('known' in bound) return KNOWN_AS[bound.known];
  return 'atMost' in bound ? `at most ${bound.atMost} ${bound.of}` : bound.join(', ');
}

function processes(by: readonly ProcessName[]): string {
  return by.length === Object.keys(SERIES_CEILINGS).length ? 'all' : by.join(', ');
}

function table(titles: readonly string[], rows: readonly string[]): string {
  return [row(titles), row(titles.map(() => '---')), ...rows].join('\n');
}

/** A bar inside a cell would end the cell. */
function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
