/** What all dashboards have around their panels: variables, annotations, links. */
import {
  AnnotationQueryBuilder,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import type { Pages } from '../config/pages.ts';
import type { Variable } from './dashboardSpec.ts';

/** Provisioned under this uid by prometheus/grafana/provisioning; the variable lets one look at another Prometheus. */
export const DATASOURCE_UID = 'fit-prometheus';
export const DATASOURCE = { type: 'prometheus', uid: `\${datasource}` } as const;

/** What the links between dashboards go by. */
export const DASHBOARD_TAG = 'fit';

export const VARIABLE_QUERIES: Readonly<Record<Variable, string>> = {
  queue: 'label_values(queue:info, queue)',
  instance: 'label_values(process_start_time_seconds{job=~"monolith|coach|cron"}, instance)',
};

export function datasourceVariable(): DatasourceVariableBuilder {
  return new DatasourceVariableBuilder('datasource')
    .label('Prometheus')
    .type('prometheus')
    .current({ selected: true, text: 'Prometheus', value: DATASOURCE_UID });
}

/** All by default. `.+` and not the list of all values: a queue that comes later is seen without a reload. */
export function queryVariable(name: Variable): QueryVariableBuilder {
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

/** Not the instance: a process that moves is no deploy. */
const BUILDS = 'group by (job, version, commit)';

/** What is marked on every graph. */
export const ANNOTATIONS = [
  {
    name: 'Deploys',
    // Builds that run now and did not a minute ago. A restart of the same build within the minute is none.
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

export function annotations(): AnnotationQueryBuilder[] {
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

/** The other dashboards at the same time, and the page that works without Grafana. */
export function links({ consoleUrl, runbookBase }: Pages): DashboardLinkBuilder[] {
  const toDashboards = new DashboardLinkBuilder('FIT')
    .type(DashboardLinkType.Dashboards)
    .tags([DASHBOARD_TAG])
    .keepTime(true)
    .includeVars(true);
  return [
    toDashboards,
    pageLink('Status page', `${consoleUrl}/`),
    pageLink('Runbooks', runbookBase),
  ];
}

export function pageLink(title: string, url: string): DashboardLinkBuilder {
  return new DashboardLinkBuilder(title).type(DashboardLinkType.Link).url(url).targetBlank(true);
}
