/** docker-compose.yml as data, with merges resolved and `${NAME:-default}` replaced by its default (except ports). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

export const REPOSITORY = join(import.meta.dirname, '../../..');

export interface Service {
  image?: string;
  build?: { context: string; target: string; args: Record<string, string> };
  labels?: Record<string, string>;
  networks?: Record<string, { aliases: string[] }>;
  pull_policy?: string;
  container_name?: string;
  user?: string;
  read_only?: boolean;
  init?: boolean;
  privileged?: boolean;
  network_mode?: string;
  cap_drop?: string[];
  cap_add?: string[];
  security_opt?: string[];
  mem_limit?: string;
  cpus?: number;
  pids_limit?: number;
  stop_grace_period?: string;
  restart?: string;
  environment?: Record<string, string>;
  ports?: string[];
  volumes?: string[];
  depends_on?: Record<string, { condition: string }>;
  deploy?: { replicas: number };
  healthcheck?: { test: string[]; interval: string; timeout: string; retries: number };
  logging?: { options: Record<string, string> };
}

const SOURCE = readFileSync(join(REPOSITORY, 'docker-compose.yml'), 'utf8');

/** The original text, for tests of variables. */
export const COMPOSE_SOURCE = SOURCE;

/** The environment may move ports, and `DEFAULT_PORTS` of the stack moves with it. */
const WITH_DEFAULTS = SOURCE.replaceAll(
  /\$\{(\w+):-([^}]*)\}/g,
  (_, name: string, fallback: string) =>
    (name.startsWith('FIT_PORT_') ? process.env[name] : undefined) ?? fallback,
);

export const SERVICES = new Map(
  Object.entries(
    (parse(WITH_DEFAULTS, { merge: true }) as { services: Record<string, Service> }).services,
  ),
);

/** @throws Error for a service that does not exist. */
export function service(name: string): Service {
  const found = SERVICES.get(name);
  if (found === undefined) throw new Error(`no service ${name} in docker-compose.yml`);
  return found;
}
