/** The catalogue of metrics → METRICS.md. Pure. */
import {
  CATALOGUE,
  type LabelBound,
  METRIC_ALIASES,
  type MetricDefinition,
  type MetricSection,
  type ProcessName,
  SERIES_CEILINGS,
} from '@fit/service';

/** What the values of a label that a process knows at its start are. */
const KNOWN_AS = {
  vhost: 'the virtual host',
  queue: 'declared queues',
  mainQueue: 'main queues',
  waitQueue: 'wait queues',
  type: 'kinds of job',
  route: 'route patterns, or none',
} as const;

/** @returns text by path relative to `prometheus/`. */
export function renderMetrics(): ReadonlyMap<string, string> {
  const parts = [head(), plainNames(), ceilings(), ...CATALOGUE.map(section)];
  return new Map([['METRICS.md', `${parts.join('\n\n')}\n`]]);
}

function head(): string {
  return [
    '# Metrics',
    '',
    'Everything that monolith, coach and cron export, generated from `service/src/metrics/metricCatalogue.ts` by `npm run rules`;',
    'a test compares it with the live processes, both ways. Metrics are served on a port of their own and never wait for',
    'a dependency. Every label set that is known at the start is there at 0, unless said otherwise: `increase()` would miss',
    'the first event. A value outside its label’s bound counts as `other`. What the broker, Prometheus and Alertmanager',
    'export is theirs.',
  ].join('\n');
}

function plainNames(): string {
  const rows = METRIC_ALIASES.map(({ alias, metric, query, difference }) =>
    row([`\`${alias}\``, `\`${metric}\``, `\`${query}\``, difference]),
  );
  return [
    '## The names that people look for first',
    '',
    'They are not exported beside ours: two names of one thing cost twice and come apart.',
    '',
    table(['looked for', 'here', 'for example', 'difference'], rows),
  ].join('\n');
}

function ceilings(): string {
  const rows = Object.entries(SERIES_CEILINGS).map(([name, count]) =>
    row([name, count.toLocaleString('en')]),
  );
  const lead = 'A process that exports more has lost a bound; a test holds the live ones to it.';
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

/** A bar inside a cell would end it. */
function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
