/** Requests that are derived from an OpenAPI document: valid, at a bound, and wrong in many ways. */
import type { OpenApiDocument, Operation } from '@fit/service';
import fc from 'fast-check';

export interface RequestCase {
  /** Of the operation that the request is made for. */
  readonly operationId: string;
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** The keywords of JSON Schema that the routes use. */
interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
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

/** @returns requests for every operation alike. */
export function requestCases(document: OpenApiDocument): fc.Arbitrary<RequestCase> {
  const { schemas } = document.components;
  const cases = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) =>
      caseOf({ path, method, operation, schemas: schemas }),
    ),
  );
  return fc.oneof(...cases);
}

interface OperationPlace {
  readonly path: string;
  readonly method: string;
  readonly operation: Operation;
  readonly schemas: Readonly<Record<string, Schema>>;
}

function caseOf({ path, method, operation, schemas }: OperationPlace): fc.Arbitrary<RequestCase> {
  const { parameters = [], requestBody } = operation;
  const valueOf = valuesIn(schemas);
  const names = (place: string) => parameters.filter((parameter) => parameter.in === place);
  const pathValues = fc.record(
    Object.fromEntries(
      names('path').map(({ name, schema }) => [name, valueOf(schema).map(pathSegment)]),
    ),
  );
  const query = fc.record(
    Object.fromEntries(names('query').map(({ name, schema }) => [name, valueOf(schema)])),
    { requiredKeys: [] },
  );
  const json = requestBody?.content['application/json']?.schema;
  const body =
    json === undefined
      ? rarely<string | undefined>('{"unexpected":true}', undefined)
      : mostly<string | undefined>(
          valueOf(json).map((value) => JSON.stringify(value)),
          fc.constantFrom(undefined, LARGE_BODY, DEEP_BODY, ...NOT_JSON),
        );
  return fc
    .record({
      pathValues,
      query,
      unknownQuery: rarely('&unknown=1', ''),
      isRepeated: rarely(true, false),
      body,
      mediaType: mostly(fc.constant('application/json'), fc.constantFrom(...MEDIA_TYPES)),
      method: mostly(fc.constant(method), fc.constantFrom(...OTHER_METHODS)),
      headers: fc.record(
        {
          'idempotency-key': fc.constantFrom('key-1', 'key-2', 'x'.repeat(300), ' ', 'é'),
          'if-none-match': fc.constant('*'),
          'x-request-id': fc.constantFrom('id', 'é'),
        },
        { requiredKeys: [] },
      ),
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

function mostly<Value>(
  usual: fc.Arbitrary<Value>,
  other: fc.Arbitrary<Value>,
): fc.Arbitrary<Value> {
  return fc.oneof(
    { weight: WRONG_SHARE.of - WRONG_SHARE.weight, arbitrary: usual },
    { weight: WRONG_SHARE.weight, arbitrary: other },
  );
}

function rarely<Value>(rare: Value, usual: Value): fc.Arbitrary<Value> {
  return mostly(fc.constant(usual), fc.constant(rare));
}

/** @returns a function that makes the values of a schema: most are valid, the others have another type or are hostile. */
function valuesIn(schemas: Readonly<Record<string, Schema>>) {
  const valueOf = (schema: Schema): fc.Arbitrary<unknown> =>
    mostly(validOf(schema), fc.constantFrom(...HOSTILE_VALUES));
  const validOf = (schema: Schema): fc.Arbitrary<unknown> => {
    if (schema.$ref !== undefined) return validOf(schemas[schema.$ref.replace(/^.*\//, '')] ?? {});
    if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
    if (schema.const !== undefined) return fc.constant(schema.const);
    if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map(validOf));
    switch (schema.type) {
      case 'boolean':
        return fc.boolean();
      case 'null':
        return fc.constant(null);
      case 'integer':
      case 'number':
        return fc.integer({ min: schema.minimum ?? -1_000, max: schema.maximum ?? 1_000_000 });
      case 'string':
        return textsOf(schema);
      case 'array':
        return arraysOf(schema);
      case 'object':
        return objectsOf(schema);
      default:
        return fc.jsonValue();
    }
  };
  const arraysOf = ({ items = {}, minItems = 0, maxItems = 5 }: Schema) => {
    const few = fc.array(valueOf(items), { minLength: minItems, maxLength: Math.min(maxItems, 5) });
    const tooMany = fc
      .array(validOf(items), { minLength: 1, maxLength: 1 })
      .map((one) => Array.from({ length: Math.min(maxItems + 1, 1_500) }, () => one[0]));
    return mostly<unknown[]>(few, tooMany);
  };
  const objectsOf = ({ properties = {}, required = [] }: Schema) => {
    const known = fc.record(
      Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, valueOf(value)])),
      { requiredKeys: [...required] },
    );
    const others = fc.dictionary(
      fc.constantFrom('unknown', '$set', 'constructor', '__proto__', '\0', 'é'),
      fc.jsonValue({ maxDepth: 2 }),
      { maxKeys: 3 },
    );
    const withOthers = fc.tuple(known, others).map(([first, second]) => ({ ...first, ...second }));
    return mostly<object>(known, withOthers);
  };
  return valueOf;
}

/** Texts within the bounds, and some at each bound and just beyond it. */
function textsOf({ pattern, minLength = 0, maxLength = 100 }: Schema): fc.Arbitrary<string> {
  const usual =
    pattern === undefined
      ? fc.string({ unit: 'grapheme', minLength, maxLength: Math.min(maxLength, 40) })
      : fc.stringMatching(new RegExp(pattern)).map((text) => text.slice(0, maxLength));
  return mostly(usual, fc.constantFrom('x'.repeat(maxLength), 'x'.repeat(maxLength + 1)));
}
