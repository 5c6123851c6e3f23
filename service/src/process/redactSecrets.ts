/** Removes secrets from a finished log line, whatever put them there: the message of a driver, a URL, a header. No I/O. */
import { type Environment, passwordsOf } from '@fit/contract';

const MASK = '[redacted]';
/** A shorter secret, such as guest, also occurs in ordinary words. In a URL it is found by its position. */
const SECRET_MIN_CHARS = 8;
/** Variables that hold a secret, or a URL with one. */
const SECRET_VARIABLES = [
  'FIT_BOOTSTRAP_SECRET',
  'FIT_CRON_SECRET',
  'AMQP_URL',
  'AMQP_MANAGEMENT_URL',
  'ALERTMANAGER_URL',
  'PROMETHEUS_URL',
  'MONGODB_URL',
] as const;
/** Variables with `name=value` pairs, whose values may be keys of a trace collector. */
const HEADER_VARIABLES = [
  'OTEL_EXPORTER_OTLP_HEADERS',
  'OTEL_EXPORTER_OTLP_TRACES_HEADERS',
] as const;

/** `scheme://user:` and the text up to the last @ before the end of the host. */
const URL_PASSWORD = /([a-z][a-z\d+.-]*:\/\/[^\s:@/"\\]*):[^\s"\\]*@/gi;
const BEARER = /(bearer\s+)[\w.~+/=-]+/gi;

/** @returns the secrets of this process: tokens and the passwords of URLs, as written and as decoded. */
export function secretsOf(env: Environment): readonly string[] {
  const found = SECRET_VARIABLES.flatMap((name) => {
    const text = env[name] ?? '';
    return text.includes('://') ? passwordsOf(text) : [text];
  });
  const values = HEADER_VARIABLES.flatMap((name) => headerValuesOf(env[name] ?? ''));
  const unique = new Set([...found, ...values].filter(({ length }) => length >= SECRET_MIN_CHARS));
  // In the form that they have inside a JSON string; the longest comes first, because one secret may contain another.
  return [...unique]
    .map((secret) => JSON.stringify(secret).slice(1, -1))
    .sort((a, b) => b.length - a.length);
}

/** @param line JSON text; the result is JSON too. */
export function redactSecrets(line: string, secrets: readonly string[]): string {
  let clean = line.replaceAll(URL_PASSWORD, `$1:${MASK}@`).replaceAll(BEARER, `$1${MASK}`);
  for (const secret of secrets) clean = clean.replaceAll(secret, MASK);
  return clean;
}

/** Header values as written, and as the exporter decodes them. */
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
