/**
 * Environment variables → one checked object per process, by a TypeBox schema whose properties are the variables.
 *
 * An empty variable counts as unset, since compose passes those. Everything that is wrong is found at once, and each
 * finding names the variable, its value and the remedy; secrets and the passwords in URLs are never shown. Pure.
 */
import { isIP } from 'node:net';
import { ConnectionString } from 'mongodb-connection-string-url';
import Type, { type Static, type TObject, type TSchema } from 'typebox';
import Value from 'typebox/value';
import { SECRET_REMEDY, weaknessOfSecret } from './secretStrength.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Bad configuration; the process stops before it starts anything. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  /** One sentence for each variable at fault: its name, its value, what it must be, the remedy. */
  readonly findings: readonly string[];

  constructor(findings: readonly string[]) {
    super(findings.join('; '));
    this.findings = findings;
  }
}

/** What a schema of one variable carries besides TypeBox's own keywords. */
interface VariableOptions {
  /** The end of the sentence 'NAME='value' …'. */
  readonly expects: string;
  /** How its value is shown in a finding; default: as it is. */
  readonly show?: 'url' | 'never';
}

/** Most characters of a value that a finding shows. */
const SHOWN_CHARS = 100;
/** Not `Value.Convert`: it would turn '5.5' into the integer 5, and 'true' into 1 (typebox 1.4.3). */
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/** @returns a whole number within bounds; its default is part of the bounds. */
export function wholeNumber(bounds: { minimum: number; maximum: number; default?: number }) {
  const expects = `must be a whole number from ${bounds.minimum} to ${bounds.maximum}`;
  return Type.Integer({ ...bounds, expects });
}

/** @returns a number from 0 to 1 with a default. */
export function share(fallback: number) {
  return Type.Number({
    minimum: 0,
    maximum: 1,
    default: fallback,
    expects: 'must be a number from 0 to 1',
  });
}

/** @returns any text with a default. */
export function text(fallback: string) {
  return Type.String({ default: fallback, expects: 'must be text' });
}

/** @returns one of these words; the first is the default. */
export function oneOf<const Words extends readonly [string, ...string[]]>(words: Words) {
  return Type.Enum<[...Words]>([...words], {
    default: words[0],
    expects: `must be one of ${words.join(', ')}`,
  });
}

/** @returns a text that `problemOf` accepts; where it does not, it returns what the text must be. */
export function checkedText(
  problemOf: (text: string) => string | undefined,
  options: { readonly default?: string; readonly show?: 'url' | 'never' } = {},
) {
  return Type.Refine(
    Type.String({ ...options }),
    (value) => problemOf(value) === undefined,
    (value) => problemOf(value) ?? '',
  );
}

/** @returns an http or https URL. */
export function httpUrl(fallback?: string) {
  return checkedText(problemOfHttpUrl, {
    show: 'url',
    ...(fallback === undefined ? {} : { default: fallback }),
  });
}

/** A bearer token that is strong enough; unset where there is none. */
export const SECRET = Type.Optional(
  checkedText(
    (secret) => {
      const weakness = weaknessOfSecret(secret);
      return weakness === undefined ? undefined : `${weakness}; ${SECRET_REMEDY}`;
    },
    { show: 'never' },
  ),
);

/**
 * Checks the variables that a schema names.
 * @param moreFindings further findings about the same environment, such as those of variables that belong together.
 * @returns their values, converted, with defaults; no others.
 * @throws ConfigError with everything that was found.
 */
export function parseEnvironment<Schema extends TObject>(
  schema: Schema,
  env: Environment,
  moreFindings: readonly string[] = [],
): Static<Schema> {
  const { value, findings } = checkEnvironment(schema, env);
  if (findings.length + moreFindings.length > 0)
    throw new ConfigError([...findings, ...moreFindings]);
  return value;
}

/** As `parseEnvironment`, for whoever has more to check first: `value` is to be used only where there is no finding. */
export function checkEnvironment<Schema extends TObject>(
  schema: Schema,
  env: Environment,
): { readonly value: Static<Schema>; readonly findings: readonly string[] } {
  const value: Record<string, unknown> = {};
  const findings: string[] = [];
  // One by one: of a whole object TypeBox names the first eight errors (its setting `maxErrors`).
  for (const [name, property] of Object.entries<TSchema>(schema.properties)) {
    const raw = optionalText(env, name);
    const given = raw !== undefined && isNumeric(property) && DECIMAL.test(raw) ? Number(raw) : raw;
    const checked = Value.Default(property, given);
    if (checked === undefined && Type.IsOptional(property)) continue;
    value[name] = checked;
    const [error] = Value.Errors(property, checked);
    if (error !== undefined) findings.push(findingOf(name, raw ?? '', property, error.message));
  }
  return { value: value as Static<Schema>, findings };
}

/** @returns the variable's text; undefined where it is unset or empty. */
export function optionalText(env: Environment, name: string): string | undefined {
  const raw = env[name];
  return raw === '' ? undefined : raw;
}

function isNumeric(property: TSchema): boolean {
  const { type } = property as { type?: unknown };
  return type === 'integer' || type === 'number';
}

function findingOf(name: string, raw: string, property: TSchema, message: string): string {
  const {
    show,
    expects,
    default: fallback,
  } = property as Partial<VariableOptions> & {
    default?: unknown;
  };
  const remedy =
    typeof fallback === 'string' || typeof fallback === 'number'
      ? `, or unset it for ${fallback}`
      : ', or unset it';
  if (show === 'never') return `${name} ${message}`;
  const shown = show === 'url' ? maskUrl(raw) : raw;
  return `${name}='${shown.slice(0, SHOWN_CHARS)}' ${expects ?? message}${remedy}`;
}

/** Of a URL, what may be shown: no password, and no value of its query, which may hold one too. */
export function maskUrl(url: string): string {
  const at = url.lastIndexOf('@');
  const scheme = /^[a-z][a-z\d+.-]*:\/\//i.exec(url)?.[0] ?? '';
  const user = /^[^:@/]*/.exec(url.slice(scheme.length))?.[0] ?? '';
  const place =
    at === -1
      ? // Without a host: what stands behind a colon is a password unless it is a port.
        url.slice(scheme.length).replace(/:(?!\d+(?:[/,?#]|$))[^/,?#]*/g, ':***')
      : `${user}:***${url.slice(at)}`;
  return `${scheme}${place.replace(/\?.*$/s, '?***')}`;
}

/** @returns what a URL of the web must be; undefined where it is. */
export function problemOfHttpUrl(url: string): string | undefined {
  const parsed = URL.parse(url);
  if (parsed === null || !['http:', 'https:'].includes(parsed.protocol) || parsed.hostname === '')
    return 'must be a URL that begins with http:// or https:// and names a host';
  return areEscapesValid(parsed) ? undefined : BAD_ESCAPES;
}

const BAD_ESCAPES =
  'has a % that is no escape in its user, password or path; write % itself as %25';

/** @returns what an AMQP URL must be; undefined where it is. */
export function problemOfAmqpUrl(url: string): string | undefined {
  const parsed = URL.parse(url);
  if (parsed === null || !['amqp:', 'amqps:'].includes(parsed.protocol) || parsed.hostname === '')
    return 'must be a URL such as amqp://user:password@host:5672/vhost, or amqps://…; special characters of user and password are percent-encoded';
  if (parsed.pathname.slice(1).includes('/'))
    return 'names a virtual host with a slash in it; write the slash as %2F';
  if (parsed.hash !== '') return 'has a # in it; in a user or password write it as %23';
  return areEscapesValid(parsed) ? undefined : BAD_ESCAPES;
}

/** @returns the passwords in an AMQP, HTTP or MongoDB URL, as written and as decoded; none where it is no URL. */
export function passwordsOf(url: string): readonly string[] {
  let password: string;
  try {
    password = url.startsWith('mongodb')
      ? new ConnectionString(url).password
      : new URL(url).password;
  } catch {
    return [];
  }
  try {
    return [password, decodeURIComponent(password)];
  } catch {
    return [password];
  }
}

/** Checked by the parser that the driver uses. @returns what a MongoDB URL must be; undefined where it is. */
export function problemOfMongodbUrl(url: string): string | undefined {
  try {
    const { username, password, pathname } = new ConnectionString(url);
    return areEscapesValid({ username, password, pathname }) ? undefined : BAD_ESCAPES;
  } catch (error) {
    // Of its own reasons the parser's one about user names quotes them, and Node's quotes the whole URL.
    const own = error instanceof Error && error.name === 'MongoParseError' ? error.message : '';
    const reason = own.replace(/(unescaped characters).*/s, '$1') || 'not to be parsed';
    return `must be a connection string such as mongodb://host:27017/fit or mongodb://a,b,c/fit?replicaSet=rs0 (${reason})`;
  }
}

function areEscapesValid(parts: { username: string; password: string; pathname: string }): boolean {
  try {
    for (const part of [parts.username, parts.password, parts.pathname]) decodeURIComponent(part);
    return true;
  } catch {
    return false;
  }
}

const HOST_NAME =
  /^(?:[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?)(?:[.][a-z\d](?:[a-z\d-]{0,61}[a-z\d])?)*$/i;

/** @returns what a host to listen on must be; undefined where it is. */
export function problemOfHost(host: string): string | undefined {
  if (isIP(host) !== 0) return undefined;
  // Digits and dots alone are an address with a mistake in it, and no name.
  const isName = host.length <= 253 && HOST_NAME.test(host) && !/^[\d.]+$/.test(host);
  if (isName) return undefined;
  return 'must be an address or a host name of this machine, such as 127.0.0.1, 0.0.0.0 or ::';
}

/** @returns what a time zone must be; undefined where it is. */
export function problemOfTimezone(name: string): string | undefined {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return undefined;
  } catch {
    return 'must be an IANA time zone, such as Europe/Berlin';
  }
}
