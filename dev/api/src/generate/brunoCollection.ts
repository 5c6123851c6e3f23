/** A Bruno collection of both services, made from their OpenAPI documents. Pure: the same routes give the same files. */
import type { OpenApiDocument, Operation } from '@fit/service';
import { type JsonSchema, resolveSchema, type SharedSchemas } from '../jsonSchema.ts';
import { SHARED_STATUSES } from './routeTable.ts';

/** The service that answers a request; also the name of the variable with its address. */
export type ServiceName = 'monolith' | 'coach';

/** Tags whose routes are files of a page, which no client asks for. */
const LEFT_OUT: readonly string[] = ['Page', 'Documentation'];
/** The tag of requests that a run of the whole collection by one person leaves out. */
export const ALONE_TAG = 'alone';
/** Operations that have it, beside those whose reply does not end: one ends the token of the others, one is for members alone. */
const ALONE: readonly string[] = ['postAuthPassword', 'postWorkoutsWorkoutIdPerform'];

const ENVIRONMENTS = {
  local: { monolith: 'http://127.0.0.1:12100', coach: 'http://127.0.0.1:12101' },
  compose: { monolith: 'http://127.0.0.1:12100', coach: 'http://127.0.0.1:12101' },
} as const;

/** Values of parameters whose schema has no example, by name. */
const EXAMPLES: Readonly<Record<string, string>> = {
  id: 'ann',
  userId: 'ann',
  after: 'ann',
  limit: '100',
  date: '2026-12-01',
  // Bruno makes a new one for each request.
  'Idempotency-Key': '{{$randomUUID}}',
};

/** Fields of bodies that are variables of the environment, where their schema has no example. */
const VARIABLES: Readonly<Record<string, string>> = {
  email: '{{email}}',
  password: '{{password}}',
  current: '{{password}}',
};
/** Texts in the examples of schemas that mean the person who sends the requests. */
const EXAMPLE_PERSON: Readonly<Record<string, string>> = {
  'ann@example.com': '{{email}}',
  password123: '{{password}}',
};

/** @returns the text of each file by its path in the collection. */
export function brunoCollection(
  documents: Readonly<Record<ServiceName, OpenApiDocument>>,
): Map<string, string> {
  const files = new Map([
    [
      'bruno.json',
      `${JSON.stringify({ version: '1', name: 'FIT', type: 'collection', ignore: [] }, null, 2)}\n`,
    ],
    ...Object.entries(ENVIRONMENTS).map(
      ([name, { monolith, coach }]) =>
        [
          `environments/${name}.bru`,
          `vars {\n  monolith: ${monolith}\n  coach: ${coach}\n  email: ann@example.com\n}\nvars:secret [\n  password,\n  token,\n  bootstrapSecret\n]\n`,
        ] as const,
    ),
  ]);
  for (const [service, document] of Object.entries(documents) as [ServiceName, OpenApiDocument][])
    for (const [index, { name }] of document.tags.entries()) {
      if (LEFT_OUT.includes(name)) continue;
      const folder = service === 'monolith' ? name : `Coach ${name.toLowerCase()}`;
      files.set(
        `${folder}/folder.bru`,
        `meta {\n  name: ${folder}\n  seq: ${index + (service === 'monolith' ? 1 : 101)}\n}\n`,
      );
      const operations = operationsOf(document, name);
      for (const [position, place] of operations.entries()) {
        const { operationId } = place.operation;
        files.set(
          `${LAST.includes(operationId) ? LAST_FOLDER.name : folder}/${operationId}.bru`,
          requestText({ ...place, service, document, sequence: position + 1 }),
        );
      }
    }
  files.set(
    `${LAST_FOLDER.name}/folder.bru`,
    `meta {\n  name: ${LAST_FOLDER.name}\n  seq: ${LAST_FOLDER.sequence}\n}\n`,
  );
  return files;
}

interface OperationPlace {
  readonly path: string;
  readonly method: string;
  readonly operation: Operation;
}

/** In this order they come before the others of their folder: what gives the token that the others need. */
const FIRST = ['postBootstrapAdmin', 'postAuthRegister', 'postAuthLogin'];
/** They end the token, so they have a folder of their own behind all others. */
const LAST: readonly string[] = ['postAuthLogout'];
const LAST_FOLDER = { name: 'Log out', sequence: 901 } as const;

/** What gives the token comes first, then what creates, so that what reads finds something. */
function operationsOf(document: OpenApiDocument, tag: string): OperationPlace[] {
  const found = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, { tags }]) => tags.includes(tag))
      .map(([method, operation]) => ({ path, method, operation })),
  );
  const rank = ({ method, operation: { operationId } }: OperationPlace) => {
    const place = FIRST.indexOf(operationId);
    if (place >= 0) return place - FIRST.length;
    return method === 'delete' ? 2 : method === 'post' ? 0 : 1;
  };
  return found.sort((left, right) => rank(left) - rank(right));
}

interface RequestPlace extends OperationPlace {
  readonly service: ServiceName;
  readonly document: OpenApiDocument;
  readonly sequence: number;
}

function requestText({
  path,
  method,
  operation,
  service,
  document,
  sequence,
}: RequestPlace): string {
  const {
    operationId,
    summary,
    description,
    parameters = [],
    requestBody,
    responses,
    security,
  } = operation;
  const schemas = document.components.schemas as SharedSchemas;
  const json = requestBody?.content['application/json']?.schema;
  const isOpen = security.length === 0;
  const [secret = 'bearer'] = Object.keys(security[0] ?? {});
  const isAlone = 'text/event-stream' in contentOf(responses, '200') || ALONE.includes(operationId);
  const parameterLines = (place: string, mark: string) =>
    parameters
      .filter((parameter) => parameter.in === place)
      .map(
        ({ name, schema }) => `  ${mark}${name}: ${parameterExample(name, schema as JsonSchema)}`,
      );
  const [pathLines, queryLines, headerLines] = [
    parameterLines('path', ''),
    // A tilde switches a line off: the reader switches on what is needed.
    parameterLines('query', '~'),
    parameterLines('header', '~'),
  ];
  const statuses = Object.keys(responses).filter((status) => !SHARED_STATUSES.has(status));
  // Health alone states 503 as a reply.
  if ('application/json' in contentOf(responses, '503')) statuses.push('503');
  return [
    block('meta', [
      `  name: ${summary}`,
      '  type: http',
      `  seq: ${sequence}`,
      ...(isAlone ? ['  tags: [', `    ${ALONE_TAG}`, '  ]'] : []),
    ]),
    block(method, [
      `  url: {{${service}}}${path.replaceAll(/\{(\w+)\}/g, ':$1')}`,
      `  body: ${json === undefined ? 'none' : 'json'}`,
      `  auth: ${isOpen ? 'none' : 'bearer'}`,
    ]),
    ...(queryLines.length === 0 ? [] : [block('params:query', queryLines)]),
    ...(pathLines.length === 0 ? [] : [block('params:path', pathLines)]),
    ...(headerLines.length === 0 ? [] : [block('headers', headerLines)]),
    ...(isOpen
      ? []
      : [
          block('auth:bearer', [
            `  token: {{${secret === 'bearer' ? 'token' : `${secret}Secret`}}}`,
          ]),
        ]),
    ...(json === undefined
      ? []
      : [block('body:json', indented(JSON.stringify(exampleOf(json, schemas), null, 2)))]),
    ...(givesToken(responses, schemas)
      ? [
          block('script:post-response', [
            '  if (res.getStatus() === 200) bru.setEnvVar("token", res.getBody().access_token);',
          ]),
        ]
      : []),
    block('tests', [
      '  test("the status is one that this request leads to", () => {',
      `    expect([${statuses.join(', ')}]).to.include(res.getStatus());`,
      '  });',
    ]),
    ...(description === undefined ? [] : [block('docs', indented(description))]),
  ].join('\n');
}

function block(name: string, lines: readonly string[]): string {
  return `${name} {\n${lines.join('\n')}\n}\n`;
}

function indented(text: string): string[] {
  return text.split('\n').map((line) => (line === '' ? '' : `  ${line}`));
}

function contentOf(
  responses: Operation['responses'],
  status: string,
): Readonly<Record<string, { schema?: JsonSchema }>> {
  const response = responses[status] as
    | { content?: Record<string, { schema?: JsonSchema }> }
    | undefined;
  return response?.content ?? {};
}

/** The reply of a log-in has `access_token`, as RFC 6749 names it. */
function givesToken(responses: Operation['responses'], schemas: SharedSchemas): boolean {
  const schema = contentOf(responses, '200')['application/json']?.schema;
  return (
    schema !== undefined && 'access_token' in (resolveSchema(schema, schemas).properties ?? {})
  );
}

function parameterExample(name: string, { examples, enum: choices }: JsonSchema): string {
  const example = examples?.[0] ?? choices?.[0];
  return typeof example === 'string' ? example : (EXAMPLES[name] ?? name);
}

/** @returns the first example of the schema, else its smallest value: of an object the required fields alone. */
function exampleOf(given: JsonSchema, schemas: SharedSchemas): unknown {
  const schema = resolveSchema(given, schemas);
  if (schema.examples?.[0] !== undefined) return asSender(schema.examples[0]);
  if (schema.default !== undefined) return schema.default;
  if (schema.enum !== undefined) return schema.enum[0];
  if (schema.const !== undefined) return schema.const;
  if (schema.anyOf?.[0] !== undefined) return exampleOf(schema.anyOf.at(-1) ?? {}, schemas);
  switch (schema.type) {
    case 'object':
      return Object.fromEntries(
        Object.entries(schema.properties ?? {})
          .filter(([name]) => schema.required?.includes(name))
          .map(([name, property]) => [name, VARIABLES[name] ?? exampleOf(property, schemas)]),
      );
    case 'array':
      return Array.from({ length: schema.minItems ?? 0 }, () =>
        exampleOf(schema.items ?? {}, schemas),
      );
    case 'integer':
    case 'number':
      return schema.minimum ?? 1;
    case 'boolean':
      return true;
    case 'string':
      return 'text'.padEnd(schema.minLength ?? 0, 'x');
    default:
      return null;
  }
}

function asSender(example: unknown): unknown {
  return JSON.parse(JSON.stringify(example), (_, value: unknown) =>
    typeof value === 'string' ? (EXAMPLE_PERSON[value] ?? value) : value,
  );
}
