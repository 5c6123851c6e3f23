/** Takes secrets out of a finished line, whoever put them there: a driver's message, a URL, a header. Pure. */
import { type Environment, passwordsOf } from '@fit/contract';

const MASK = '[redacted]';
/** Shorter ones, such as guest, stand in ordinary words; in a URL they are found by their place. */
const SECRET_MIN_CHARS = 8;
/** Variables that hold a secret, or a URL with one. */
const SECRET_VARIABLES = [
  'FIT_ADMIN_TOKEN',
  'AMQP_URL',
  'AMQP_MANAGEMENT_URL',
  'ALERTMANAGER_URL',
  'PROMETHEUS_URL',
  'MONGODB_URL',
] as const;
/** `name=value` pairs, of which the values may be keys of a collector. */
const HEADER_VARIABLES = [
  'OTEL_EXPORTER_OTLP_HEADERS',
  'OTEL_EXPORTER_OTLP_TRACES_HEADERS',
] as const;

/** `scheme://user:` and what follows up to the last @ before the host ends. */
const URL_PASSWORD = /([a-z][a-z\d+.-]*:\/\/[^\s:@/"\\]*):[^\s"\\]*@/gi;
const BEARER = /(bearer\s+)[\w.~+/=-]+/gi;

/** @returns what must not be seen: tokens, and the passwords of URLs, as written and as decoded. */
export function readSecrets(env: Environment): readonly string[] {
  const found = SECRET_VARIABLES.flatMap((name) => {
    const text = env[name] ?? '';
    return text.includes('://') ? passwordsOf(text) : [text];
  });
  const values = HEADER_VARIABLES.flatMap((name) => headerValuesOf(env[name] ?? ''));
  const unique = new Set([...found, ...values].filter(({ length }) => length >= SECRET_MIN_CHARS));
  // As they stand inside a JSON string; the longest first, since one may hold another.
  return [...unique]
    .map((secret) => JSON.stringify(secret).slice(1, -1))
    .sort((a, b) => b.length - a.length);
}

/** @param line JSON text; it stays JSON. */
export function scrub(line: string, secrets: readonly string[]): string {
  let clean = line.replaceAll(URL_PASSWORD, `$1:${MASK}@`).replaceAll(BEARER, `$1${MASK}`);
  for (const secret of secrets) clean = clean.replaceAll(secret, MASK);
  return clean;
}

/** As written, and as the exporter decodes them. */
function headerValuesOf(text: string): string[] {
  return text.split(',').flatMap((pair) => {
    const value = pair.slice(pair.indexOf('=') + 1).trim();
    return [value, ...decoded(value)];
  });
}

function decoded(text: string): string[] {
  try {
    return [decodeURIComponent(text)];
  } catch {
    return [];
  }
}
