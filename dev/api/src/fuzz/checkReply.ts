/** Whether a reply is as the OpenAPI document states: its status, its media type and its body. Pure. */
import type { OpenApiDocument, Operation } from '@fit/service';
import { Compile, type Validator } from 'typebox/compile';

export interface SeenReply {
  readonly status: number;
  /** Without parameters; empty where there is none. */
  readonly mediaType: string;
  /** Undefined where the body was not read, as of a stream. */
  readonly text: string | undefined;
}

/** What the server answers to a method that the path does not have, whatever the route. */
const OF_OTHER_METHODS = new Map([
  [204, 'OPTIONS'],
  [405, 'a method that the path does not have'],
]);

export class ReplyChecker {
  readonly #document: OpenApiDocument;
  readonly #operations = new Map<string, Operation>();
  readonly #validators = new Map<string, Validator>();

  constructor(document: OpenApiDocument) {
    this.#document = document;
    for (const methods of Object.values(document.paths))
      for (const operation of Object.values(methods))
        this.#operations.set(operation.operationId, operation);
  }

  /**
   * @param isOwnMethod whether the request has the method of the operation; another method may have another operation, of which only
   * the status is checked.
   * @returns what is wrong; undefined if nothing is.
   */
  fault(operationId: string, isOwnMethod: boolean, reply: SeenReply): string | undefined {
    const { status, mediaType, text } = reply;
    const operation = this.#operations.get(operationId);
    // Health alone has 503 as a reply of its own; every route states 503 as a problem, which nothing here should lead to.
    if (status >= 500 && !(isOwnMethod && hasOwnReply(operation, status)))
      return `a defect: ${status} ${text ?? ''}`;
    if (!isOwnMethod) return this.#faultOfOtherMethod(reply);
    const response = responseOf(operation, status);
    if (response === undefined) return `the status ${status} is not stated`;
    if (response.content === undefined)
      return text === '' || text === undefined ? undefined : `a body where none is stated: ${text}`;
    const content = response.content[mediaType];
    if (content === undefined) return `the media type '${mediaType}' of ${status} is not stated`;
    if (text === undefined || !/[/+]json$/.test(mediaType)) return undefined;
    return this.#bodyFault(`${operationId} ${status} ${mediaType}`, content.schema, text);
  }

  #faultOfOtherMethod({ status, mediaType }: SeenReply): string | undefined {
    if (status < 400 || OF_OTHER_METHODS.has(status)) return undefined;
    return mediaType === 'application/problem+json' || mediaType === ''
      ? undefined
      : `an error as '${mediaType}'`;
  }

  #bodyFault(name: string, schema: object, text: string): string | undefined {
    let validator = this.#validators.get(name);
    if (validator === undefined) {
      validator = Compile(this.#inline(schema) as object);
      this.#validators.set(name, validator);
    }
    const body = JSON.parse(text) as unknown;
    if (validator.Check(body)) return undefined;
    const [error] = validator.Errors(body);
    return `the body is not as stated: ${error?.instancePath ?? ''} ${error?.message ?? ''} in ${text}`;
  }

  /** The validator takes a schema without references. No schema of a reply refers to itself. */
  #inline(node: unknown): unknown {
    if (Array.isArray(node)) return node.map((item) => this.#inline(item));
    if (typeof node !== 'object' || node === null) return node;
    const { $ref } = node as { readonly $ref?: string };
    if ($ref !== undefined)
      return this.#inline(this.#document.components.schemas[$ref.replace(/^.*\//, '')]);
    return Object.fromEntries(
      Object.entries(node).map(([key, value]) => [key, this.#inline(value)]),
    );
  }
}

interface StatedResponse {
  readonly content?: Readonly<Record<string, { readonly schema: object }>>;
}

function responseOf(operation: Operation | undefined, status: number): StatedResponse | undefined {
  return operation?.responses[String(status)];
}

function hasOwnReply(operation: Operation | undefined, status: number): boolean {
  return 'application/json' in (responseOf(operation, status)?.content ?? {});
}
