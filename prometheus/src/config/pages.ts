/** Where alerts and dashboards lead a person, from the environment. */
import { type Environment, EnvironmentReader } from '@fit/contract';

/** Addresses without a slash at their end. */
export interface Pages {
  /** The status page. */
  readonly consoleUrl: string;
  /** The folder of runbooks. */
  readonly runbookBase: string;
}

/** The monolith as compose publishes it, and as it is natively. */
const CONSOLE_URL = 'http://localhost:12100';

export const DEFAULT_PAGES: Pages = Object.freeze({
  consoleUrl: CONSOLE_URL,
  runbookBase: 'https://github.com/fit/fit/blob/main/prometheus/runbooks',
});

/**
 * @param consoleUrl where the status page is unless the environment knows better.
 * @throws ConfigError naming every variable at fault.
 */
export function readPages(environment: Environment, consoleUrl = CONSOLE_URL): Pages {
  const reader = new EnvironmentReader(environment);
  const read = (name: string, fallback: string) =>
    reader.url(name, fallback, ['http:', 'https:']).replace(/\/+$/, '');
  const pages = {
    consoleUrl: read('FIT_CONSOLE_URL', consoleUrl),
    runbookBase: read('FIT_RUNBOOK_BASE', DEFAULT_PAGES.runbookBase),
  };
  reader.finish();
  return pages;
}
