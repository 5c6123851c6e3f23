/** Checks of values that an operator writes: URLs, host names, time zones and secrets. No value is ever shown by a check. */
import { isIP } from 'node:net';
import { ConnectionString } from 'mongodb-connection-string-url';

const BAD_ESCAPES =
  'has a % that is no escape in its user, password or path; write % itself as %25';

/** @returns what an HTTP URL must be; undefined where it is valid. */
export function problemOfHttpUrl(url: string): string | undefined {
  const parsed = URL.parse(url);
  if (parsed === null || !['http:', 'https:'].includes(parsed.protocol) || parsed.hostname === '')
    return 'must be a URL that begins with http:// or https:// and names a host';
  return areEscapesValid(parsed) ? undefined : BAD_ESCAPES;
}

/** @returns what an AMQP URL must be; undefined where it is valid. */
export function problemOfAmqpUrl(url: string): string | undefined {
  const parsed = URL.parse(url);
  if (parsed === null || !['amqp:', 'amqps:'].includes(parsed.protocol) || parsed.hostname === '')
    return 'must be a URL such as amqp://user:password@host:5672/vhost, or amqps://…; special characters of user and password are percent-encoded';
  if (parsed.pathname.slice(1).includes('/'))
    return 'names a virtual host with a slash in it; write the slash as %2F';
  if (parsed.hash !== '') return 'has a # in it; in a user or password write it as %23';
  return areEscapesValid(parsed) ? undefined : BAD_ESCAPES;
}

/** Checks a URL with the driver's own parser. @returns what a MongoDB URL must be; undefined where it is valid. */
export function problemOfMongodbUrl(url: string): string | undefined {
  try {
    const { username, password, pathname } = new ConnectionString(url);
    return areEscapesValid({ username, password, pathname }) ? undefined : BAD_ESCAPES;
  } catch (error) {
    // Only the parser's own messages are safe to show; the one about unescaped characters quotes the user at its end.
    const own = error instanceof Error && error.name === 'MongoParseError' ? error.message : '';
    const reason = own.replace(/(unescaped characters).*/s, '$1') || 'it cannot be parsed';
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

/** @returns what a host to listen on must be; undefined where it is valid. */
export function problemOfHost(host: string): string | undefined {
  if (isIP(host) !== 0) return undefined;
  // A text of digits and dots alone is a mistyped address and no host name.
  const isName = host.length <= 253 && HOST_NAME.test(host) && !/^[\d.]+$/.test(host);
  return isName
    ? undefined
    : 'must be an address or a host name of this machine, such as 127.0.0.1, 0.0.0.0 or ::';
}

/** @returns what a time zone must be; undefined where it is valid. */
export function problemOfTimezone(name: string): string | undefined {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return undefined;
  } catch {
    return 'must be an IANA time zone, such as Europe/Berlin';
  }
}

/** Minimum length of a secret. */
export const SECRET_MIN_CHARS = 32;
/** Maximum length of a secret: an HTTP header has to carry it. */
export const SECRET_MAX_CHARS = 1_024;
/** 32 random decimal digits, the smallest alphabet in use, have fewer than 6 different digits once in 10 million. */
const MIN_DISTINCT_CHARS = 6;
/**
 * Minimum number of different distances between neighbouring characters. A repeated word or a part of the alphabet has at
 * most 8 ('password' four times, 'abc…', '1234567890…'), while 32 random hexadecimal digits have 12 or more.
 */
const MIN_DISTINCT_STEPS = 9;
/** An HTTP header carries visible ASCII without change; it does not carry a space at an end. */
const VISIBLE_ASCII = /^[\x21-\x7e]+$/;

/** How an operator makes a good secret; every message about a weak secret ends with it. */
export const SECRET_REMEDY = "make one with 'openssl rand -hex 24'";

/**
 * Checks whether a text is strong enough to be a bearer token.
 * @returns undefined where it is; else the rest of a sentence that begins with the name of the secret.
 */
export function weaknessOfSecret(secret: string): string | undefined {
  if (secret === '') return 'is empty';
  if (secret.length < SECRET_MIN_CHARS)
    return `has ${secret.length} characters and needs at least ${SECRET_MIN_CHARS}`;
  if (secret.length > SECRET_MAX_CHARS)
    return `has ${secret.length} characters and may have at most ${SECRET_MAX_CHARS}`;
  if (!VISIBLE_ASCII.test(secret))
    return 'holds a space, a control character or one outside ASCII, which no HTTP header carries';
  const characters = secret.split('');
  const steps = characters
    .slice(1)
    .map((character, index) => character.charCodeAt(0) - secret.charCodeAt(index));
  if (new Set(characters).size < MIN_DISTINCT_CHARS || new Set(steps).size < MIN_DISTINCT_STEPS)
    return 'can be guessed: it repeats a few characters, or follows a simple pattern';
  return undefined;
}

/** @returns a URL without its password and without its query, which may hold a password as well. */
export function maskUrl(url: string): string {
  const at = url.lastIndexOf('@');
  const scheme = /^[a-z][a-z\d+.-]*:\/\//i.exec(url)?.[0] ?? '';
  const user = /^[^:@/]*/.exec(url.slice(scheme.length))?.[0] ?? '';
  const masked =
    at === -1
      ? // A malformed URL may have no @, so every text after a colon is hidden unless it is a port.
        url.slice(scheme.length).replace(/:(?!\d+(?:[/,?#]|$))[^/,?#]*/g, ':***')
      : `${user}:***${url.slice(at)}`;
  return `${scheme}${masked.replace(/\?.*$/s, '?***')}`;
}

/** @returns the password in an AMQP, HTTP or MongoDB URL, as written and as decoded; an empty list where it is no URL. */
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
