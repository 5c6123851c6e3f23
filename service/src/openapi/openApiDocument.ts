/**
 * The OpenAPI 3.1 document of a service, made from its routes. It is pure, so the same routes always give the same document.
 * A schema with a `title` becomes a component of that name.
 */

import type { TSchema } from 'typebox';
import { SESSION_COOKIE } from '../access/authenticator.ts';
import type { Route } from '../route/defineRoute.ts';
import { type ProblemKind, ProblemSchema } from '../route/problem.ts';
import { allProblems } from '../route/sharedProblems.ts';

export interface DocumentOptions {
  readonly title: string;
  readonly version: string;
  readonly description: string;
  /** The groups of the routes, in the order in which they are shown; a group that no route has is left out. */
  readonly tags: readonly { readonly name: string; readonly description: string }[];
}

type Json = Record<string, unknown>;

export interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly servers: readonly { readonly url: string }[];
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Json>>;
    readonly securitySchemes: Readonly<Record<string, Json>>;
  };
}

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly tags: readonly string[];
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: Readonly<Record<string, { readonly schema: Json }>>;
  };
  readonly responses: Readonly<Record<string, Json>>;
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly description?: string;
  readonly schema: Json;
}

/** The keywords of a schema that are read here. */
interface SchemaNode {
  readonly properties?: Readonly<Record<string, TSchema>>;
  readonly required?: readonly string[];
}

const SECURITY_SCHEMES = {
  bearer: { type: 'http', scheme: 'bearer', description: 'authorization: Bearer <token>' },
  session: {
    type: 'apiKey',
    in: 'cookie',
    name: SESSION_COOKIE,
    description:
      'for browsers; POST /auth/session sets it. A request that changes something needs the header `x-fit-csrf: 1` besides.',
  },
} as const;

/**
 * @throws Error if two different schemas have the same title, if a route's tag is not among `tags`, or if a path pattern has
 * a form that no path of OpenAPI has.
 */
export function openApiDocument(
  routes: readonly Route[],
  { title, version, description, tags }: DocumentOptions,
): OpenApiDocument {
  const components = new Components();
  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of routes) {
    const known = tags.some(({ name }) => name === route.tag);
    if (!known) throw new Error(`the tag ${route.tag} of ${nameOf(route)} has no description`);
    for (const path of pathsOf(route)) {
      const methods = (paths[path] ??= {});
      methods[route.method] = operationOf(route, path, components);
    }
  }
  const usedTags = new Set(routes.map(({ tag }) => tag));
  return {
    openapi: '3.1.0',
    info: { title, version, description },
    servers: [{ url: '/' }],
    tags: tags.filter(({ name }) => usedTags.has(name)),
    paths,
    components: {
      schemas: components.sorted(),
      securitySchemes: { ...SECURITY_SCHEMES, ...secretSchemesOf(routes) },
    },
  };
}

/** @returns the paths of a route as OpenAPI writes them: of an optional part both forms. The first one is the main path. */
export function pathsOf({ paths }: Pick<Route, 'paths'>): string[] {
  return paths.flatMap((pattern) => {
    const optional = /^(.*)\{(.*)\}$/.exec(pattern);
    const forms =
      optional === null
        ? [pattern]
        : [optional[1] ?? '', (optional[1] ?? '') + (optional[2] ?? '')];
    return forms.map((form) => {
      const path = form.replaceAll(/:(\w+)/g, '{$1}');
      if (/[*:()]/.test(path)) throw new Error(`${pattern} is no path that OpenAPI can describe`);
      return path;
    });
  });
}

function operationOf(route: Route, path: string, components: Components): Operation {
  const { method, summary, tag, body } = route;
  const [main] = pathsOf(route);
  const isAlias = main !== path;
  const description = [
    ...(isAlias ? [`The same as \`${method.toUpperCase()} ${main ?? ''}\`.`] : []),
    ...(route.description === '' ? [] : [route.description]),
  ].join('\n\n');
  const parameters = parametersOf(route, path, components);
  return {
    operationId: operationIdOf(method, path),
    summary,
    ...(description === '' ? {} : { description }),
    tags: [tag],
    security: securityOf(route),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            // A request without a body is read as one with an empty object.
            required: requiredOf(body).length > 0,
            content: {
              'application/json': { schema: components.refer(body) },
              ...(route.takesForm
                ? { 'application/x-www-form-urlencoded': { schema: components.refer(body) } }
                : {}),
            },
          },
        }),
    responses: { ...repliesOf(route, components), ...problemsOf(route, components) },
  };
}

function securityOf({ access, secretName }: Route): Operation['security'] {
  if (secretName !== undefined) return [{ [secretName]: [] }];
  return access === 'open' ? [] : [{ bearer: [] }, { session: [] }];
}

/** @returns a scheme for each secret that a route asks for, so that the page of the document has a field for it. */
function secretSchemesOf(routes: readonly Route[]): Record<string, Json> {
  const names = routes.flatMap(({ secretName }) => secretName ?? []);
  return Object.fromEntries(
    names.map((name) => [
      name,
      {
        type: 'http',
        scheme: 'bearer',
        description: `authorization: Bearer <the ${name} secret>; no token of an account`,
      },
    ]),
  );
}

function operationIdOf(method: string, path: string): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  return [method, ...words.map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`)].join(
    '',
  );
}

const IDEMPOTENCY_KEY: Parameter = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description:
    'Makes it safe to repeat the request: the same key with the same request is carried out once.',
  schema: { type: 'string', pattern: '^[\\x21-\\x7E]{1,200}$', maxLength: 200 },
};

function parametersOf(route: Route, path: string, components: Components): Parameter[] {
  const pathParameters = Object.entries(propertiesOf(route.params))
    .filter(([name]) => path.includes(`{${name}}`))
    .map(([name, schema]) => ({
      name,
      in: 'path' as const,
      required: true,
      schema: components.refer(schema),
    }));
  const required = requiredOf(route.query);
  const queryParameters = Object.entries(propertiesOf(route.query)).map(([name, schema]) => ({
    name,
    in: 'query' as const,
    required: required.includes(name),
    schema: components.refer(schema),
  }));
  return [
    ...pathParameters,
    ...queryParameters,
    ...(route.idempotencyKey === 'none' ? [] : [IDEMPOTENCY_KEY]),
  ];
}

/** A reply without a body, such as 204 and 304, has no content. */
function repliesOf(
  { statuses, replyTypes, reply }: Route,
  components: Components,
): Record<string, Json> {
  return Object.fromEntries(
    statuses.map((status) => [
      String(status),
      {
        description: DESCRIPTIONS[status] ?? 'The reply',
        ...(status === 204 || status === 304
          ? {}
          : {
              content: Object.fromEntries(
                replyTypes.map((type) => [
                  type,
                  {
                    schema:
                      type === 'application/json' ? components.refer(reply) : { type: 'string' },
                  },
                ]),
              ),
            }),
      },
    ]),
  );
}

const DESCRIPTIONS: Readonly<Record<number, string>> = {
  200: 'Done',
  201: 'Created',
  202: 'Accepted; the work goes on after the reply',
  204: 'Done; there is nothing to say',
  304: 'The file is the one that the client has',
  503: 'The service cannot work now',
};

/** The problems of one status are one response, whose description lists their codes and remedies. */
function problemsOf(route: Route, components: Components): Record<string, Json> {
  const byStatus = Map.groupBy(allProblems(route), ({ status }) => status);
  return Object.fromEntries(
    [...byStatus].map(([status, kinds]) => {
      const problem = components.refer(ProblemSchema);
      const codes = kinds.map(({ code }) => code);
      const schema = {
        allOf: [problem, { properties: { status: { const: status }, code: { enum: codes } } }],
      };
      // A status that is also a reply, such as 503 of health, has both bodies.
      const reply = route.statuses.includes(status)
        ? { 'application/json': { schema: components.refer(route.reply) } }
        : {};
      return [
        String(status),
        {
          description: kinds.map(describe).join('\n'),
          content: { ...reply, 'application/problem+json': { schema } },
        },
      ];
    }),
  );
}

function describe({ code, when, remedy }: ProblemKind): string {
  return `- \`${code}\`: ${when}.${remedy === undefined ? '' : ` ${remedy}`}`;
}

/** Schemas with a title, by their title. */
class Components {
  readonly #schemas = new Map<string, Json>();

  /** @returns the schema as plain JSON, with references in place of schemas that have a title. */
  refer(schema: TSchema): Json {
    return this.#refer(schema) as Json;
  }

  sorted(): Record<string, Json> {
    return Object.fromEntries(
      [...this.#schemas].sort(([left], [right]) => left.localeCompare(right, 'en')),
    );
  }

  #refer(node: unknown): unknown {
    if (Array.isArray(node)) return node.map((item) => this.#refer(item));
    if (typeof node !== 'object' || node === null) return node;
    // Object.entries leaves out what typebox keeps beside the JSON Schema, since those properties are not enumerable.
    const plain = Object.fromEntries(
      Object.entries(node)
        .filter(([, value]) => typeof value !== 'function')
        .map(([key, value]) => [key, this.#refer(value)]),
    );
    const { title } = plain;
    if (typeof title !== 'string') return plain;
    const known = this.#schemas.get(title);
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(plain))
      throw new Error(`two different schemas have the title ${title}`);
    this.#schemas.set(title, plain);
    return { $ref: `#/components/schemas/${title}` };
  }
}

function propertiesOf(schema: TSchema | undefined): Readonly<Record<string, TSchema>> {
  return (schema as SchemaNode | undefined)?.properties ?? {};
}

function requiredOf(schema: TSchema): readonly string[] {
  return (schema as SchemaNode).required ?? [];
}

function nameOf({ method, paths }: Route): string {
  return `${method.toUpperCase()} ${paths[0] ?? ''}`;
}
