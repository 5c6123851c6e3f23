/** Where alerts and dashboards link to, from the environment. */
import { type Environment, httpUrl, parseEnvironment } from '@fit/contract';
import Type from 'typebox';

/** Addresses without a slash at their end. */
export interface Links {
  /** The status page. */
  readonly consoleUrl: string;
  /** The folder of the runbooks. */
  readonly runbookBase: string;
}

/** The address of the monolith under compose and natively. */
const CONSOLE_URL = 'http://localhost:12100';

/** The monolith serves the runbooks as well. */
const runbooksAt = (consoleUrl: string): string => `${consoleUrl}/runbooks`;

export const DEFAULT_LINKS: Links = Object.freeze({
  consoleUrl: CONSOLE_URL,
  runbookBase: runbooksAt(CONSOLE_URL),
});

const LINK_VARIABLES = Type.Object({
  FIT_CONSOLE_URL: Type.Optional(httpUrl()),
  FIT_RUNBOOK_BASE: Type.Optional(httpUrl()),
});

const withoutSlash = (url: string): string => url.replace(/\/+$/, '');

/**
 * Reads FIT_CONSOLE_URL and FIT_RUNBOOK_BASE. Without the latter the runbooks are those of the status page.
 * @param fallbackUrl address of the status page without FIT_CONSOLE_URL.
 * @throws ConfigError that names every wrong variable.
 */
export function readLinks(environment: Environment, fallbackUrl = CONSOLE_URL): Links {
  const given = parseEnvironment(LINK_VARIABLES, environment);
  const consoleUrl = withoutSlash(given.FIT_CONSOLE_URL ?? fallbackUrl);
  const runbookBase = withoutSlash(given.FIT_RUNBOOK_BASE ?? runbooksAt(consoleUrl));
  return { consoleUrl, runbookBase };
}
