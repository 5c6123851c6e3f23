/** One panel of a specification → a builder of Grafana's own. */
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
import { ThresholdsConfigBuilder, ThresholdsMode } from '@grafana/grafana-foundation-sdk/dashboard';
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
import type { Bounds, PanelSpec, Query } from './dashboardSpec.ts';
import { DATASOURCE, pageLink } from './frame.ts';
import type { PlacedPanel } from './layOut.ts';

type PanelBuilder = TimeseriesBuilder | StatBuilder | HeatmapBuilder | TableBuilder;

export interface PanelOptions {
  /** Unique within the dashboard. */
  readonly id: number;
  readonly runbookBase: string;
}

export function renderPanel({ panel, place }: PlacedPanel, options: PanelOptions): PanelBuilder {
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
    runbooks.map((name) => pageLink(`Runbook: ${name}`, runbookUrl(runbookBase, name))),
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

/** Of a histogram's own buckets; their bounds are the axis, which has its unit by itself. */
function heat({ unit }: PanelSpec): HeatmapBuilder {
  // Grafana's own defaults, named: the SDK's builder of colours begins with none of them, and no step is no palette.
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

/** A row per series; the name of an alert leads to its runbook. */
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
