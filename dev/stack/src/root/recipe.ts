/**
 * What goes into each cached folder. The cache key is a hash of this, so a changed recipe builds
 * anew.
 */
import { createHash } from 'node:crypto';
import { userInfo } from 'node:os';
import { resolve } from 'node:path';

/** Debian suites whose RabbitMQ can be started: 3.10, 4.0 and 4.3. */
export type BrokerSuite = 'bookworm' | 'trixie' | 'sid';

export const BROKER_SUITES: readonly BrokerSuite[] = ['bookworm', 'trixie', 'sid'];

/** @returns undefined where the word is no suite. */
export function brokerSuiteOf(word: string): BrokerSuite | undefined {
  return BROKER_SUITES.find((suite) => suite === word);
}

export interface RootRecipe {
  readonly title: string;
  readonly suite: BrokerSuite;
  readonly packages: readonly string[];
  /** Raise when the files written after unpacking change. */
  readonly layoutVersion: number;
}

/**
 * What every root folder needs to be entered: a shell, and the tools that mount and drop
 * privileges.
 */
const ENTRY_PACKAGES = [
  'base-files',
  'dash',
  'coreutils',
  'sed',
  'grep',
  'findutils',
  'util-linux',
  'mount',
];

const LAYOUT_VERSION = 1;

/** The root folder with all services. */
export const MAIN_ROOT: RootRecipe = {
  title: 'root folder (RabbitMQ, PostgreSQL, DocumentDB, Prometheus)',
  suite: 'sid',
  packages: [
    'postgresql-18-documentdb',
    'rabbitmq-server',
    'prometheus',
    'prometheus-alertmanager',
    ...ENTRY_PACKAGES,
  ],
  layoutVersion: LAYOUT_VERSION,
};

/** The root folder of the Go tool chain, for machines without a Go that is new enough. */
export const GO_ROOT: RootRecipe = {
  title: 'root folder (Go)',
  suite: 'sid',
  packages: ['golang-go', ...ENTRY_PACKAGES],
  layoutVersion: LAYOUT_VERSION,
};

/**
 * The root folder of the browser, for tests of the pages. The headless shell alone: half the size of the whole browser,
 * and no display. A stable suite, since sid's libraries change under it.
 */
export const BROWSER_ROOT: RootRecipe = {
  title: 'root folder (Chromium, headless)',
  suite: 'trixie',
  packages: ['chromium-headless-shell', 'fonts-dejavu-core', ...ENTRY_PACKAGES],
  layoutVersion: LAYOUT_VERSION,
};

/** The root folder of a Docker daemon with its clients, for `npm run compose-check`. */
export const DOCKER_ROOT: RootRecipe = {
  title: 'root folder (Docker, Docker Compose)',
  suite: 'trixie',
  packages: [
    'docker.io',
    'docker-cli',
    'docker-compose',
    'docker-buildx',
    'iptables',
    'iproute2',
    'busybox-static',
    ...ENTRY_PACKAGES,
  ],
  layoutVersion: LAYOUT_VERSION,
};

/** The root folder the broker runs from; sid's broker is part of the main one. */
export function brokerRoot(suite: BrokerSuite): RootRecipe {
  if (suite === 'sid') return MAIN_ROOT;
  return {
    title: `root folder (RabbitMQ of ${suite})`,
    suite,
    packages: ['rabbitmq-server', ...ENTRY_PACKAGES],
    layoutVersion: LAYOUT_VERSION,
  };
}

/** Sixteen hexadecimal digits that change whenever the recipe does. */
export function recipeHash(...parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}

/**
 * Where built folders are kept: `FIT_STACK_CACHE`, else `.cache/fit-stack` in `HOME`, else the same in the home folder
 * of the user's account. Empty variables count as unset.
 */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const { FIT_STACK_CACHE: chosen = '', HOME: home = '' } = environment;
  if (chosen !== '') return resolve(chosen);
  return resolve(home === '' ? userInfo().homedir : home, '.cache', 'fit-stack');
}
