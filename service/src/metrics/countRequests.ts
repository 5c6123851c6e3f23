/** Counts requests by the pattern of their route, never by their path. */
import type { Route } from '../route/defineRoute.ts';
import type { CompletedRequest } from '../server/observeRequest.ts';
import type { MetricSet } from './metricSet.ts';

/** The label of all requests that no route matches, so that unknown paths are one series. */
const NO_ROUTE = 'none';
const CLASSES = ['2xx', '4xx', '5xx'];

/** @returns the values of the label `route`. */
export function routePatterns(routes: readonly Route[]): string[] {
  return [...routes.flatMap(({ paths }) => paths), NO_ROUTE];
}

/** @returns the listener of the application; each of its routes is exported from the start. */
export function countRequests(
  metrics: MetricSet,
  routes: readonly Route[],
): (end: CompletedRequest) => void {
  const name = 'http_server_request_duration_seconds';
  for (const { method, paths } of routes)
    for (const route of paths)
      for (const status_class of CLASSES)
        metrics.startAtZero(name, { method: method.toUpperCase(), route, status_class });
  metrics.startAtZero(name, { method: 'GET', route: NO_ROUTE, status_class: '4xx' });
  return ({ method, route, status, durationMs }) => {
    const status_class = `${Math.floor(status / 100)}xx`;
    metrics.observe(name, { method, route, status_class }, durationMs / 1_000);
  };
}
