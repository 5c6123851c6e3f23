/**
 * Reads environment variables by a TypeBox schema: each property of the schema is one variable, with its default, its bound
 * and its description. docs/configuration.md is generated from the same schemas.
 *
 * An empty variable counts as unset, because compose passes empty ones. Every wrong variable is reported at once, each with
 * its value and the remedy; secrets and passwords in URLs are never shown.
 */
import Type, { type Static, type TObject, type TSchema } from 'typebox';
import Value from 'typebox/value';
import { maskUrl, problemOfHttpUrl, SECRET_REMEDY, weaknessOfSecret } from './valueChecks.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The configuration is wrong; the process stops before it opens anything. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  /** One sentence for each wrong variable: its name, its value, what the value must be, the remedy. */
  readonly findings: readonly string[];

  constructor(findings: readonly string[]) {
    super(findings.join('; '));
    this.findings = findings;
  }
}

/** Documentation of a variable, in addition to its default and its bounds. */
export interface VariableDocumentation {
  /** Effect of the variable, as a phrase. */
  readonly description?: string;
  /** Unit or form of the value, such as 'milliseconds'. */
  readonly unit?: string;
}

/** Keywords of a variable's schema in addition to those of TypeBox. */
interface VariableKeywords extends VariableDocumentation {
  readonly default?: string | number;
  /** The rest of the finding, after NAME='value'. Absent where the check has a message of its own. */
  readonly expects?: string;
  /** How a finding shows the value: `url` without the password, `never` not at all; default: the value itself. */
  readonly show?: 'url' | 'never';
}

interface Bounds {
  readonly minimum: number;
  readonly maximum: number;
}

/** A finding shows at most this many characters of a value. */
const SHOWN_CHARS = 100;
/** `Value.Convert` is not used: it would turn '5.5' into the integer 5, and 'true' into 1 (typebox 1.4.3). */
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/** @returns the schema of a whole number within bounds. */
export function wholeNumber(
  options: Bounds & VariableDocumentation & { readonly default?: number },
) {
  const expects = `must be a whole number from ${options.minimum} to ${options.maximum}`;
  return Type.Integer({ ...options, expects });
}

/** @returns the schema of a number within bounds. */
export function decimalNumber(
  options: Bounds & VariableDocumentation & { readonly default: number },
) {
  const expects = `must be a number from ${options.minimum} to ${options.maximum}`;
  return Type.Number({ ...options, expects });
}

/** @returns the schema of any text. */
export function text(options: VariableDocumentation & { readonly default: string }) {
  return Type.String({ ...options, expects: 'must be text' });
}

/** @returns the schema of one of these words; the first is the default. */
export function oneOf<const Words extends readonly [string, ...string[]]>(
  words: Words,
  documentation: VariableDocumentation = {},
) {
  return Type.Enum<[...Words]>([...words], {
    ...documentation,
    default: words[0],
    expects: `must be one of ${words.join(', ')}`,
  });
}

/**
 * @param problemOf returns what the text must be, or undefined where it is valid.
 * @returns the schema of a text with a check of its own.
 */
export function checkedText(
  problemOf: (text: string) => string | undefined,
  options: VariableDocumentation & {
    readonly default?: string;
    readonly show?: 'url' | 'never';
  } = {},
) {
  return Type.Refine(
    Type.String({ ...options }),
    (value) => problemOf(value) === undefined,
    (value) => problemOf(value) ?? '',
  );
}

/** @returns the schema of an http or https URL. */
export function httpUrl(options: VariableDocumentation & { readonly default?: string } = {}) {
  return checkedText(problemOfHttpUrl, { unit: 'http(s) URL', ...options, show: 'url' });
}

/** @returns the schema of a bearer token that cannot be guessed. */
export function secret(options: VariableDocumentation) {
  return checkedText(
    (value) => {
      const weakness = weaknessOfSecret(value);
      return weakness === undefined ? undefined : `${weakness}; ${SECRET_REMEDY}`;
    },
    { ...options, show: 'never' },
  );
}

/**
 * Reads the variables that a schema names.
 * @returns their values with defaults, numbers as numbers; no other variables.
 * @throws ConfigError with every finding.
 */
export function parseEnvironment<Schema extends TObject>(
  schema: Schema,
  env: Environment,
): Static<Schema> {
  const { value, findings } = checkEnvironment(schema, env);
  if (findings.length > 0) throw new ConfigError(findings);
  return value;
}

/** Reads variables as `parseEnvironment` does, but returns the findings. `value` is valid only if there is no finding. */
export function checkEnvironment<Schema extends TObject>(
  schema: Schema,
  env: Environment,
): { readonly value: Static<Schema>; readonly findings: readonly string[] } {
  const value: Record<string, unknown> = {};
  const findings: string[] = [];
  // Each variable is checked alone: for a whole object TypeBox reports eight errors at most, by a setting of the process.
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

/** @returns the text of a variable; undefined where it is unset or empty. */
export function optionalText(env: Environment, name: string): string | undefined {
  const raw = env[name];
  return raw === '' ? undefined : raw;
}

function isNumeric(property: TSchema): boolean {
  const { type } = property as { type?: unknown };
  return type === 'integer' || type === 'number';
}

function findingOf(name: string, raw: string, property: TSchema, message: string): string {
  const { show, expects, default: fallback } = property as VariableKeywords;
  if (show === 'never') return `${name} ${message}`;
  const shown = (show === 'url' ? maskUrl(raw) : raw).slice(0, SHOWN_CHARS);
  const remedy = fallback === undefined ? ', or unset it' : `, or unset it for ${fallback}`;
  return `${name}='${shown}' ${expects ?? message}${remedy}`;
}
