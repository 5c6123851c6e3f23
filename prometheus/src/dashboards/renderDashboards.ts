/** Makes Grafana's dashboards, as text by file name. No I/O: the same specification gives the same text. */
/* eslint-disable @typescript-eslint/no-deprecated -- Grafana 12 reads files of the first schema; the second is a preview. */
import {
  BigValueColorMode,
  BigValueGraphMode,
  BigValueTextMode,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import {
  PanelBuilder as HeatmapBuilder,
  HeatmapColorMode,
  HeatmapColorOptionsBuilder,
  YAxisConfigBuilder,
} from '@grafana/grafana-foundation-sdk/heatmap';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import type { Links } from '../config/links.ts';
import type {
  Bounds,
  DashboardSpec,
  PanelSpec,
  Query,
  RowSpec,
  Variable,
} from './dashboardSpec.ts';
import { OVERVIEW } from './overview.ts';
import { QUEUES_AND_FLOW } from './queuesAndFlow.ts';
import { WORKERS_AND_PLATFORM } from './workersAndPlatform.ts';

/** All dashboards, in the order in which a person goes from a symptom to its cause. */
export const DASHBOARDS: readonly DashboardSpec[] = [
  OVERVIEW,
  QUEUES_AND_FLOW,
  WORKERS_AND_PLATFORM,
];

export function renderDashboards(links: Links): ReadonlyMap<string, string> {
  return new Map(
    DASHBOARDS.map((spec) => [
      `${spec.uid}.json`,
      `${JSON.stringify(renderDashboard(spec, links), keepVisible, 2)}\n`,
    ]),
  );
}

/** The SDK puts links and annotations into a closed menu and has no option against it. */
function keepVisible(key: string, value: unknown): unknown {
  return key === 'placement' && value === 'inControlsMenu' ? undefined : value;
}

function renderDashboard(spec: DashboardSpec, links: Links): Dashboard {
  const builder = new DashboardBuilder(spec.title)
    .uid(spec.uid)
    .description(spec.description)
    .tags([DASHBOARD_TAG])
    .readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: 'now-1h', to: 'now' })
    .refresh('10s')
    .variables([datasourceVariable(), ...spec.variables.map(queryVariable)])
    .annotations(annotations())
    .links(dashboardLinks(links));
  let id = 0;
  for (const { title, place, panels } of layOut(spec.rows)) {
    id += 1;
    builder.withRow(new RowBuilder(title).id(id).gridPos({ ...place }));
    for (const panel of panels) {
      id += 1;
      builder.withPanel(renderPanel(panel, { id, runbookBase: links.runbookBase }));
    }
  }
  return builder.build();
}

// ---- Variables, annotations, links ----

/** The uid in prometheus/grafana/provisioning; with the variable a reader can select another Prometheus. */
export const DATASOURCE_UID = 'fit-prometheus';
const DATASOURCE = { type: 'prometheus', uid: `\${datasource}` } as const;

/** The links between dashboards use this tag. */
const DASHBOARD_TAG = 'fit';

export const VARIABLE_QUERIES: Readonly<Record<Variable, string>> = {
  queue: 'label_values(queue:info, queue)',
  instance: 'label_values(process_start_time_seconds{job=~"monolith|coach|cron"}, instance)',
};

function datasourceVariable(): DatasourceVariableBuilder {
  return new DatasourceVariableBuilder('datasource')
    .label('Prometheus')
    .type('prometheus')
    .current({ selected: true, text: 'Prometheus', value: DATASOURCE_UID });
}

/** All values by default. `.+` instead of a list of the values, so that a new queue appears without a reload. */
function queryVariable(name: Variable): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .datasource(DATASOURCE)
    .query({ query: VARIABLE_QUERIES[name], refId: name })
    .definition(VARIABLE_QUERIES[name])
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue('.+')
    .current({ selected: true, text: ['All'], value: ['$__all'] });
}

/** The labels of a build do not include the instance, since a process that moves is not a deploy. */
const BUILDS = 'group by (job, version, commit)';

/** Events that are marked on every graph. */
export const ANNOTATIONS = [
  {
    name: 'Deploys',
    // Builds that run now and did not run a minute ago. A restart of the same build within a minute is not a deploy.
    expr: `${BUILDS} (app_build_info) unless ${BUILDS} (app_build_info offset 1m)`,
    colour: 'blue',
    title: '{{job}}',
    text: '{{version}} {{commit}}',
  },
  {
    name: 'Alerts',
    expr: 'ALERTS{alertstate="firing",severity!="none"}',
    colour: 'red',
    title: '{{alertname}}',
    text: '{{severity}} {{queue}} {{instance}}',
  },
] as const;

function annotations(): AnnotationQueryBuilder[] {
  return ANNOTATIONS.map(({ name, expr, colour, title, text }) =>
    new AnnotationQueryBuilder()
      .name(name)
      .datasource(DATASOURCE)
      .enable(true)
      .iconColor(colour)
      .expr(expr)
      .step('10s')
      .titleFormat(title)
      .textFormat(text),
  );
}

/** The other dashboards with the same time range, and the status page, which works without Grafana. */
function dashboardLinks({ consoleUrl, runbookBase }: Links): DashboardLinkBuilder[] {
  const toDashboards = new DashboardLinkBuilder('FIT')
    .type(DashboardLinkType.Dashboards)
    .tags([DASHBOARD_TAG])
    .keepTime(true)
    .includeVars(true);
  return [
    toDashboards,
    externalLink('Status page', `${consoleUrl}/`),
    externalLink('Runbooks', runbookBase),
  ];
}

function externalLink(title: string, url: string): DashboardLinkBuilder {
  return new DashboardLinkBuilder(title).type(DashboardLinkType.Link).url(url).targetBlank(true);
}

// ---- Layout ----

/** Position and size on the grid, with Grafana's names. */
interface Place {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

interface PlacedPanel {
  readonly panel: PanelSpec;
  readonly place: Place;
}

interface PlacedRow {
  readonly title: string;
  readonly place: Place;
  readonly panels: readonly PlacedPanel[];
}

const GRID_COLUMNS = 24;
const HEADING_HEIGHT = 1;

/** Places panels from left to right. A panel that does not fit starts a new line below the highest panel of the last one. */
export function layOut(rows: readonly RowSpec[]): readonly PlacedRow[] {
  let y = 0;
  return rows.map(({ title, panels }) => {
    const place = { x: 0, y, w: GRID_COLUMNS, h: HEADING_HEIGHT };
    const placed = placePanels(panels, y + HEADING_HEIGHT);
    y = Math.max(...placed.map((one) => one.place.y + one.place.h));
    return { title, place, panels: placed };
  });
}

function placePanels(panels: readonly PanelSpec[], top: number): PlacedPanel[] {
  let [x, y, lineHeight] = [0, top, 0];
  return panels.map((panel) => {
    const { w, h } = sizeOf(panel);
    if (x + w > GRID_COLUMNS) [x, y, lineHeight] = [0, y + lineHeight, 0];
    const place = { x, y, w, h };
    x += w;
    lineHeight = Math.max(lineHeight, h);
    return { panel, place };
  });
}

function sizeOf({ kind, width }: PanelSpec): Pick<Place, 'w' | 'h'> {
  return kind === 'number' ? { w: width ?? 4, h: 4 } : { w: width ?? 8, h: 8 };
}

// ---- Panels ----

type PanelBuilder = TimeseriesBuilder | StatBuilder | HeatmapBuilder | TableBuilder;

interface PanelOptions {
  /** The id of the panel, unique in the dashboard. */
  readonly id: number;
  readonly runbookBase: string;
}

function renderPanel({ panel, place }: PlacedPanel, options: PanelOptions): PanelBuilder {
  const { title, description, unit, queries, runbooks = [] } = panel;
  const builder = bounded(builderOf(panel, options), panel)
    .id(options.id)
    .title(title)
    .description(description)
    .unit(unit)
    .datasource(DATASOURCE)
    .gridPos({ ...place })
    .targets(queries.map((query, index) => target(panel, query, index)));
  const { runbookBase } = options;
  builder.links(
    runbooks.map((name) => externalLink(`Runbook: ${name}`, runbookUrl(runbookBase, name))),
  );
  return builder;
}

function runbookUrl(base: string, alert: string): string {
  return `${base}/${alert}.md`;
}

function builderOf(panel: PanelSpec, { runbookBase }: PanelOptions): PanelBuilder {
  switch (panel.kind) {
    case 'lines':
      return lines(panel);
    case 'number':
      return number(panel);
    case 'heat':
      return heat(panel);
    case 'table':
      return table(runbookBase);
  }
}

function lines({ isStacked, bounds }: PanelSpec): TimeseriesBuilder {
  const legend = new VizLegendOptionsBuilder()
    .showLegend(true)
    .displayMode(LegendDisplayMode.List)
    .placement(LegendPlacement.Bottom);
  const builder = new TimeseriesBuilder()
    .legend(legend)
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi))
    .lineWidth(1)
    .fillOpacity(isStacked ? 30 : 8)
    .showPoints(VisibilityMode.Never);
  if (isStacked) builder.stacking(new StackingConfigBuilder().mode(StackingMode.Normal));
  if (bounds !== undefined)
    builder.thresholdsStyle(
      new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed),
    );
  return builder;
}

function number({ showsName, bounds }: PanelSpec): StatBuilder {
  return new StatBuilder()
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .textMode(showsName ? BigValueTextMode.Name : BigValueTextMode.Auto)
    .colorMode(bounds === undefined ? BigValueColorMode.None : BigValueColorMode.Background)
    .graphMode(showsName ? BigValueGraphMode.None : BigValueGraphMode.Area);
}

/** Shows the buckets of a histogram; their bounds are the axis, which has a unit of its own. */
function heat({ unit }: PanelSpec): HeatmapBuilder {
  // Grafana's defaults, written out: the SDK sets none of them, and without steps there are no colours.
  const colours = new HeatmapColorOptionsBuilder()
    .mode(HeatmapColorMode.Scheme)
    .scheme('Oranges')
    .fill('dark-orange')
    .exponent(0.5)
    .steps(64);
  return new HeatmapBuilder()
    .calculate(false)
    .color(colours)
    .yAxis(new YAxisConfigBuilder().unit(unit));
}

/** One row per series; the name of an alert links to its runbook. */
function table(runbookBase: string): TableBuilder {
  const url = runbookUrl(runbookBase, `\${__value.text}`);
  return new TableBuilder()
    .showHeader(true)
    .withTransformation({
      id: 'organize',
      options: { excludeByName: { Time: true, Value: true, __name__: true, alertstate: true } },
    })
    .overrideByName('alertname', [
      { id: 'links', value: [{ title: 'Runbook', url, targetBlank: true }] },
    ]);
}

function bounded(builder: PanelBuilder, { kind, bounds, min, max }: PanelSpec): PanelBuilder {
  if (min !== null && kind !== 'heat') builder.min(0);
  if (max !== undefined) builder.max(max);
  if (bounds !== undefined) builder.thresholds(thresholdsOf(bounds));
  return builder;
}

function thresholdsOf({ warning, critical }: Bounds): ThresholdsConfigBuilder {
  const steps =
    warning <= critical
      ? [
          { value: null, color: 'green' },
          { value: warning, color: 'yellow' },
          { value: critical, color: 'red' },
        ]
      : [
          { value: null, color: 'red' },
          { value: critical, color: 'yellow' },
          { value: warning, color: 'green' },
        ];
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps);
}

function target({ kind }: PanelSpec, { expr, legend }: Query, index: number): DataqueryBuilder {
  const query = new DataqueryBuilder()
    .datasource(DATASOURCE)
    .refId(String.fromCharCode('A'.charCodeAt(0) + index))
    .expr(expr)
    .legendFormat(legend);
  if (kind === 'table') return query.instant().format(PromQueryFormat.Table);
  query.range();
  return kind === 'heat' ? query.format(PromQueryFormat.Heatmap) : query;
}
