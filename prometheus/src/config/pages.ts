/** Where alerts and dashboards lead a person, from the environment. */
import { type Environment, httpUrl, parseEnvironment } from '@fit/contract';
import Type from 'typebox';

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

const PAGE_VARIABLES = Type.Object({
  FIT_CONSOLE_URL: Type.Optional(httpUrl()),
  FIT_RUNBOOK_BASE: Type.Optional(httpUrl()),
});

const withoutSlash = (url: string): string => url.replace(/\/+$/, '');

/**
 * Runbooks are beside the status page, wherever that is, until FIT_RUNBOOK_BASE says otherwise.
 * @param fallbackUrl where the status page is unless the environment knows better.
 * @throws ConfigError naming every variable at fault.
 */
export function readPages(environment: Environment, fallbackUrl = CONSOLE_URL): Pages {
  const given = parseEnvironment(PAGE_VARIABLES, environment);
  const consoleUrl = withoutSlash(given.FIT_CONSOLE_URL ?? fallbackUrl);
  const runbookBase = withoutSlash(given.FIT_RUNBOOK_BASE ?? runbooksBeside(consoleUrl));
  return { consoleUrl, runbookBase };
}
