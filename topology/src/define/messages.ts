/** Messages of a topology: their names, which are routing keys, and the Standard Schemas of their bodies. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { matchesPattern } from '../declaration/keyPattern.ts';

/** Message name, which is its routing key → schema of its body: Zod, Valibot, ArkType or any other Standard Schema. */
export type Messages = Readonly<Record<string, StandardSchemaV1>>;
/** A name of one of the messages. */
export type MessageName<M> = Extract<keyof M, string>;
/** What a publisher gives for a body: the input of its schema. */
export type BodyInput<Schema> = Schema extends StandardSchemaV1
  ? StandardSchemaV1.InferInput<Schema>
  : never;
/** What a handler gets as a body: the output of its schema. */
export type BodyOutput<Schema> = Schema extends StandardSchemaV1
  ? StandardSchemaV1.InferOutput<Schema>
  : never;

/** A body that its schema refuses. */
export class InvalidBody extends Error {
  override readonly name = 'InvalidBody';
  /** Name of the message. */
  readonly messageName: string;
  /** What the schema found. */
  readonly issues: readonly StandardSchemaV1.Issue[];

  constructor(messageName: string, issues: readonly StandardSchemaV1.Issue[]) {
    super(`the body of '${messageName}' is invalid: ${issues.map(issueText).join('; ')}`);
    this.messageName = messageName;
    this.issues = issues;
  }
}

/**
 * Checks a body by its schema.
 * @returns the output of the schema, as a promise only where the schema checks asynchronously.
 * @throws InvalidBody, or what the schema throws.
 */
export function checkBody(messageName: string, schema: StandardSchemaV1, body: unknown): unknown {
  const result = schema['~standard'].validate(body);
  return result instanceof Promise
    ? result.then((late) => outputOf(messageName, late))
    : outputOf(messageName, result);
}

function outputOf(messageName: string, result: StandardSchemaV1.Result<unknown>): unknown {
  if (result.issues === undefined) return result.value;
  throw new InvalidBody(messageName, result.issues);
}

const ISSUE_LIMIT_CHARS = 200;

function issueText({ message, path = [] }: StandardSchemaV1.Issue): string {
  const keys = path.map((part) => String(typeof part === 'object' ? part.key : part));
  const text = keys.length === 0 ? message : `${keys.join('.')}: ${message}`;
  return text.slice(0, ISSUE_LIMIT_CHARS);
}

/** @returns the names of messages that a queue with these names and patterns gets. */
export function namesOn(on: readonly string[], names: readonly string[]): string[] {
  return names.filter((name) => on.some((pattern) => matchesPattern(pattern, name)));
}

/** @returns true if the value is a Standard Schema. */
export function isSchema(value: unknown): value is StandardSchemaV1 {
  const { '~standard': standard } = Object(value) as { '~standard'?: { validate?: unknown } };
  return typeof standard?.validate === 'function';
}
