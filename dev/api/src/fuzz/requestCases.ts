/** Requests that are derived from an OpenAPI document: valid, at a bound, and wrong in many ways. */
import type { OpenApiDocument, Operation, Parameter } from '@fit/service';
import fc from 'fast-check';
import { type JsonSchema, resolveSchema, type SharedSchemas } from '../jsonSchema.ts';

/**
 * Whose token a request has. `changing`: an account whose tokens the requests may end, and which they may change. `cookie`: the session of an
 * administrator. `wrong`: a token that is none. `none`: no token.
 */
export const CALLERS = [
  'admin',
  'operator',
  'viewer',
  'member',
  'service',
  'changing',
  'cookie',
  'wrong',
  'none',
] as const;
export type CallerName = (typeof CALLERS)[number];
const OTHER_CALLERS = CALLERS.filter((name) => name !== 'admin' && name !== 'changing');
/** Their tokens and sessions last from the first request to the last one. */
const KEPT_CALLERS: ReadonlySet<CallerName> = new Set([
  'admin',
  'operator',
  'viewer',
  'member',
  'service',
  'cookie',
]);
/** Operations that end the token that they come with, or all tokens of its account. */
const ENDING_OPERATIONS: ReadonlySet<string> = new Set(['postAuthLogout', 'postAuthPassword']);
/** Operations that only the member may call whose workout it is. */
const MEMBER_OPERATIONS: ReadonlySet<string> = new Set(['postWorkoutsWorkoutIdPerform']);

export interface RequestCase {
  /** Of the operation that the request is made for. */
  readonly operationId: string;
  readonly caller: CallerName;
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Texts that have broken programs before. */
const HOSTILE_TEXTS = [
  '',
  ' ',
  '\0',
  '\u{1F3CB}\u{FE0F}',
  'e\u0301',
  '\u202Eabc',
  '\uD800',
  "' OR 1=1 --",
  '{"$gt":""}',
  '$where',
  '../../etc/passwd',
  '__proto__',
  'constructor',
  'NaN',
  '-0',
  '1e400',
  '9007199254740993',
  '2026-02-30',
  '0000-00-00',
  'x'.repeat(300),
  'a:b:c',
];
const HOSTILE_VALUES: readonly unknown[] = [
  null,
  true,
  -1,
  0.5,
  1e308,
  [],
  {},
  [[]],
  { $gt: '' },
  ...HOSTILE_TEXTS,
];
const NOT_JSON = [
  '',
  '{',
  '[1,',
  'null',
  '"text"',
  '{"a":1}{"b":2}',
  '{"__proto__":{"a":1}}',
  '\uFEFF{}',
];
const MEDIA_TYPES = ['text/plain', 'application/xml', 'application/json; charset=utf-16', ''];
const OTHER_METHODS = ['get', 'post', 'put', 'patch', 'delete', 'options', 'head'];
/** Longer than the body limit of most routes. */
const LARGE_BODY = JSON.stringify({ pad: 'x'.repeat(150_000) });
/** JSON that is nested too deeply for any schema. */
const DEEP_BODY = `${'['.repeat(5_000)}${']'.repeat(5_000)}`;
/** Of the values of a request this share is not as its schema says, so that many requests pass all checks. */
const WRONG_SHARE = { weight: 1, of: 12 };

/**
 * Values that mean something to the running service, such as ids of real records: by place and name (`path.id`, `query.date`,
 * `body.email`), or for one operation alone (`postAuthLogin.body.email`, and `postAuthLogin.body` for a whole body).
 */
export type Hints = Readonly<Record<string, fc.Arbitrary<unknown>>>;

export interface RequestCases {
  /** For each operation a request that has to succeed: only required values, all of them right. */
  readonly right: readonly fc.Arbitrary<RequestCase>[];
  /** Requests for every operation alike, most of them right. */
  readonly any: fc.Arbitrary<RequestCase>;
}

export function requestCases(document: OpenApiDocument, hints: Hints): RequestCases {
  const { schemas } = document.components;
  const makers = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, operation]) =>
        (mix: Mix) =>
          new CaseMaker({ path, method, operation, schemas, hints, mix }).cases(),
    ),
  );
  return {
    right: makers.map((make) => make(RIGHT)),
    any: fc.oneof(...makers.map((make) => make(MOSTLY_RIGHT))),
  };
}

/** How often a request has what is not usual. */
interface Mix {
  readonly isRight: boolean;
  mostly<Value>(usual: fc.Arbitrary<Value>, other: fc.Arbitrary<Value>): fc.Arbitrary<Value>;
}

const RIGHT: Mix = { isRight: true, mostly: (usual) => usual };
const MOSTLY_RIGHT: Mix = {
  isRight: false,
  mostly: (usual, other) =>
    fc.oneof(
      { weight: WRONG_SHARE.of - WRONG_SHARE.weight, arbitrary: usual },
      { weight: WRONG_SHARE.weight, arbitrary: other },
    ),
};

interface OperationPlace {
  readonly path: string;
  readonly method: string;
  readonly operation: Operation;
  readonly schemas: SharedSchemas;
  readonly hints: Hints;
  readonly mix: Mix;
}

class CaseMaker {
  readonly #place: OperationPlace;

  constructor(place: OperationPlace) {
    this.#place = place;
  }

  cases(): fc.Arbitrary<RequestCase> {
    const { path, method, operation } = this.#place;
    return fc
      .record({
        pathValues: this.#pathValues(),
        query: this.#query(),
        unknownQuery: this.#rarely('&unknown=1', ''),
        isRepeated: this.#rarely(true, false),
        body: this.#body(),
        mediaType: this.#mostly(fc.constant('application/json'), fc.constantFrom(...MEDIA_TYPES)),
        method: this.#mostly(fc.constant(method), fc.constantFrom(...OTHER_METHODS)),
        headers: this.#headers(),
        caller: this.#caller(),
      })
      .map((parts) => {
        const target = path.replaceAll(
          /\{(\w+)\}/g,
          (_, name: string) => parts.pathValues[name] ?? '',
        );
        const text = queryText(parts.query, parts.isRepeated) + parts.unknownQuery;
        const takesBody = !['get', 'head', 'options'].includes(parts.method);
        return {
          operationId: operation.operationId,
          caller: parts.caller,
          method: parts.method.toUpperCase(),
          path: text === '' ? target : `${target}?${text.replace(/^&/, '')}`,
          headers: latinHeaders({
            ...parts.headers,
            ...(parts.mediaType === '' ? {} : { 'content-type': parts.mediaType }),
          }),
          ...(takesBody && parts.body !== undefined ? { body: parts.body } : {}),
        };
      });
  }

  #mostly<Value>(usual: fc.Arbitrary<Value>, other: fc.Arbitrary<Value>): fc.Arbitrary<Value> {
    return this.#place.mix.mostly(usual, other);
  }

  #rarely<Value>(rare: Value, usual: Value): fc.Arbitrary<Value> {
    return this.#mostly(fc.constant(usual), fc.constant(rare));
  }

  #parameters(place: string): readonly Parameter[] {
    return (this.#place.operation.parameters ?? []).filter((parameter) => parameter.in === place);
  }

  #hint(key: string): fc.Arbitrary<unknown> | undefined {
    const { hints, operation } = this.#place;
    return hints[`${operation.operationId}.${key}`] ?? hints[key];
  }

  /** A real value where there is one, and now and then any value of the schema. */
  #named(key: string, schema: JsonSchema): fc.Arbitrary<unknown> {
    const hint = this.#hint(key);
    return hint === undefined ? this.#valueOf(schema) : this.#mostly(hint, this.#valueOf(schema));
  }

  #pathValues(): fc.Arbitrary<Record<string, string>> {
    return fc.record(
      Object.fromEntries(
        this.#parameters('path').map(({ name, schema }) => [
          name,
          this.#named(`path.${name}`, schema).map(pathSegment),
        ]),
      ),
    );
  }

  #query(): fc.Arbitrary<Record<string, unknown>> {
    const parameters = this.#parameters('query').filter(
      ({ required }) => required || !this.#place.mix.isRight,
    );
    return fc.record(
      Object.fromEntries(
        parameters.map(({ name, schema }) => [name, this.#named(`query.${name}`, schema)]),
      ),
      { requiredKeys: parameters.filter(({ required }) => required).map(({ name }) => name) },
    );
  }

  #body(): fc.Arbitrary<string | undefined> {
    const json = this.#place.operation.requestBody?.content['application/json']?.schema;
    if (json === undefined)
      return this.#rarely<string | undefined>('{"unexpected":true}', undefined);
    const whole = this.#hint('body');
    const made = this.#valueOf(json);
    const value =
      whole === undefined ? made : this.#place.mix.isRight ? whole : fc.oneof(whole, made);
    return this.#mostly<string | undefined>(
      value.map((body) => JSON.stringify(body)),
      fc.constantFrom(undefined, LARGE_BODY, DEEP_BODY, ...NOT_JSON),
    );
  }

  #headers(): fc.Arbitrary<Record<string, string>> {
    if (this.#place.mix.isRight) return fc.constant({});
    return fc.record(
      {
        'idempotency-key': fc.oneof(
          fc.constantFrom('key-1', 'key-2', 'x'.repeat(300), ' ', 'é'),
          fc.uuid(),
        ),
        'if-none-match': fc.constant('*'),
        'x-request-id': fc.constantFrom('id', 'é'),
      },
      { requiredKeys: [] },
    );
  }

  /** What ends tokens of its caller is sent by accounts that nothing else is sent by. */
  #caller(): fc.Arbitrary<CallerName> {
    const { operationId } = this.#place.operation;
    const isEnding = ENDING_OPERATIONS.has(operationId);
    const usual = isEnding ? 'changing' : MEMBER_OPERATIONS.has(operationId) ? 'member' : 'admin';
    const others = OTHER_CALLERS.filter((name) => !isEnding || !KEPT_CALLERS.has(name));
    if (this.#place.mix.isRight) return fc.constant(usual);
    return fc.oneof(
      { weight: 2, arbitrary: fc.constant(usual) },
      { weight: 1, arbitrary: fc.constantFrom(...others) },
    );
  }

  /** Most values are valid, the others have another type or are hostile. */
  #valueOf(schema: JsonSchema): fc.Arbitrary<unknown> {
    return this.#mostly(this.#validOf(schema), fc.constantFrom(...HOSTILE_VALUES));
  }

  #validOf(given: JsonSchema): fc.Arbitrary<unknown> {
    const schema = resolveSchema(given, this.#place.schemas);
    if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
    if (schema.const !== undefined) return fc.constant(schema.const);
    if (schema.anyOf !== undefined)
      return fc.oneof(...schema.anyOf.map((choice) => this.#validOf(choice)));
    switch (schema.type) {
      case 'boolean':
        return fc.boolean();
      case 'null':
        return fc.constant(null);
      case 'integer':
        return fc.integer({ min: schema.minimum ?? -1_000, max: schema.maximum ?? 1_000_000 });
      case 'number':
        return fc.double({
          min: schema.minimum ?? -1_000,
          max: schema.maximum ?? 1_000_000,
          noNaN: true,
        });
      case 'string':
        return this.#textsOf(schema);
      case 'array':
        return this.#arraysOf(schema);
      case 'object':
        return this.#objectsOf(schema);
      default:
        return fc.jsonValue();
    }
  }

  #arraysOf({ items = {}, minItems = 0, maxItems = 5 }: JsonSchema): fc.Arbitrary<unknown[]> {
    const few = fc.array(this.#valueOf(items), {
      minLength: minItems,
      maxLength: Math.min(maxItems, 5),
    });
    const tooMany = fc
      .array(this.#validOf(items), { minLength: 1, maxLength: 1 })
      .map((one) => Array.from({ length: Math.min(maxItems + 1, 1_500) }, () => one[0]));
    return this.#mostly<unknown[]>(few, tooMany);
  }

  #objectsOf({ properties = {}, required = [] }: JsonSchema): fc.Arbitrary<object> {
    const wanted = Object.entries(properties).filter(
      ([name]) => !this.#place.mix.isRight || required.includes(name),
    );
    const known = fc.record(
      Object.fromEntries(wanted.map(([name, value]) => [name, this.#named(`body.${name}`, value)])),
      { requiredKeys: [...required] },
    );
    const others = fc.dictionary(
      fc.constantFrom('unknown', '$set', 'constructor', '__proto__', '\0', 'é'),
      fc.jsonValue({ maxDepth: 2 }),
      { maxKeys: 3 },
    );
    const withOthers = fc.tuple(known, others).map(([first, second]) => ({ ...first, ...second }));
    return this.#mostly<object>(known, withOthers);
  }

  /** Texts within the bounds, and some at each bound and just beyond it. */
  #textsOf({ pattern, minLength = 0, maxLength = 100 }: JsonSchema): fc.Arbitrary<string> {
    const usual =
      pattern === undefined
        ? fc.string({ unit: 'grapheme', minLength, maxLength: Math.min(maxLength, 40) })
        : fc.stringMatching(new RegExp(pattern)).map((text) => text.slice(0, maxLength));
    return this.#mostly(usual, fc.constantFrom('x'.repeat(maxLength), 'x'.repeat(maxLength + 1)));
  }
}

/** fetch sends header values as Latin-1 and refuses others; a request with such a value is no request of HTTP. */
function latinHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([, value]) => /^[\x20-\xFF]*$/.test(value)),
  );
}

/** A segment that is empty or made of dots would lead to another path. */
function pathSegment(value: unknown): string {
  const text = textOf(value);
  return text === '' || /^\.+$/.test(text) ? 'x' : encodeURIComponent(text.toWellFormed());
}

function queryText(query: Readonly<Record<string, unknown>>, isRepeated: boolean): string {
  const pairs = Object.entries(query).map(
    ([name, value]) => `${name}=${encodeURIComponent(textOf(value).toWellFormed())}`,
  );
  return [...pairs, ...(isRepeated ? pairs.slice(0, 1) : [])].join('&');
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
