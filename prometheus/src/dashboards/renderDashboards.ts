/** Specifications → Grafana's dashboards, as text by file name. Pure: the same dashboards give the same text. */
/* eslint-disable @typescript-eslint/no-deprecated -- Grafana 12 reads files of the first schema; the second is a preview. */
import {
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  RowBuilder,
} from '@grafana/grafana-foundation-sdk/dashboard';
import type { Pages } from '../config/pages.ts';
import type { DashboardSpec } from './dashboardSpec.ts';
import { DASHBOARDS } from './dashboards.ts';
import { annotations, DASHBOARD_TAG, datasourceVariable, links, queryVariable } from './frame.ts';
import { layOut } from './layOut.ts';
import { renderPanel } from './renderPanel.ts';

export function renderDashboards(pages: Pages): ReadonlyMap<string, string> {
  return new Map(
    DASHBOARDS.map((spec) => [
      `${spec.uid}.json`,
      `${JSON.stringify(renderDashboard(spec, pages), keepVisible, 2)}\n`,
    ]),
  );
}

/** The SDK puts links and annotations into a menu that is closed, and has no way to say otherwise. */
function keepVisible(key: string, value: unknown): unknown {
  return key === 'placement' && value === 'inControlsMenu' ? undefined : value;
}

function renderDashboard(spec: DashboardSpec, pages: Pages): Dashboard {
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
    .links(links(pages));
  let id = 0;
  for (const { title, place, panels } of layOut(spec.rows)) {
    id += 1;
    builder.withRow(new RowBuilder(title).id(id).gridPos({ ...place }));
    for (const panel of panels) {
      id += 1;
      builder.withPanel(renderPanel(panel, { id, runbookBase: pages.runbookBase }));
    }
  }
  return builder.build();
}
