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

/** The monolith serves the runbooks, too. */
const runbooksBeside = (consoleUrl: string): string => `${consoleUrl}/runbooks`;

export const DEFAULT_PAGES: Pages = Object.freeze({
  consoleUrl: CONSOLE_URL,
  runbookBase: runbooksBeside(CONSOLE_URL),
});

/**
 * Runbooks are beside the status page, wherever that is, until FIT_RUNBOOK_BASE says otherwise.
 * @param fallbackUrl where the status page is unless the environment knows better.
 * @throws ConfigError naming every variable at fault.
 */
export function readPages(environment: Environment, fallbackUrl = CONSOLE_URL): Pages {
  const reader = new EnvironmentReader(environment);
  const read = (name: string, fallback: string) =>
    reader.url(name, fallback, ['http:', 'https:']).replace(/\/+$/, '');
  const consoleUrl = read('FIT_CONSOLE_URL', fallbackUrl);
  const hasOwnRunbooks = reader.optional('FIT_RUNBOOK_BASE') !== undefined;
  const runbookBase = hasOwnRunbooks ? read('FIT_RUNBOOK_BASE', '') : runbooksBeside(consoleUrl);
  reader.finish();
  return { consoleUrl, runbookBase };
}
