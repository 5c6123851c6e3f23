/** The largest input that a schema accepts. A schema without a bound is refused when the process starts. */
import type { TSchema } from 'typebox';

export interface SchemaBounds {
  /** The longest JSON text of a valid value, as an encoder writes it, escaped and indented. */
  readonly bytes: number;
  /** The deepest nesting of objects and arrays. */
  readonly depth: number;
  /** The number of values in all arrays and objects together. */
  readonly elements: number;
}

/** An encoder that writes only ASCII (Python's default) writes a code point as up to two escapes of six bytes. */
const BYTES_PER_CODE_POINT = 12;
/** The longest number that JSON.stringify writes is -1.7976931348623157e+308. */
const NUMBER_BYTES = 24;
const INDENT_BYTES = 4;

/** The JSON Schema keywords that decide a bound. */
interface SchemaNode {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly TSchema[];
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly items?: TSchema;
  readonly properties?: Readonly<Record<string, TSchema>>;
  readonly additionalProperties?: boolean | TSchema;
}

/**
 * @param place names the schema in errors, such as `POST /users body`.
 * @throws Error naming the place of a string without `maxLength`, an array without `maxItems` or with `uniqueItems`, an
 * object that allows additional properties, or a type that has no bound at all.
 */
export function schemaBounds(schema: TSchema, place: string): SchemaBounds {
  const { bytes, depth, elements } = boundsOf(schema, place);
  // An indenting encoder writes each element on its own line, with a space after the colon.
  return { depth, elements, bytes: bytes + elements * (depth * INDENT_BYTES + 2) };
}

function boundsOf(node: SchemaNode, place: string): SchemaBounds {
  if (node.enum !== undefined) return scalar(Math.max(...node.enum.map(jsonBytes)));
  if (node.const !== undefined) return scalar(jsonBytes(node.const));
  if (node.anyOf !== undefined)
    return largest(node.anyOf.map((choice) => boundsOf(choice as SchemaNode, place)));
  switch (node.type) {
    case 'boolean':
    case 'null':
      return scalar(5);
    case 'number':
    case 'integer':
      return scalar(NUMBER_BYTES);
    case 'string':
      return stringBounds(node, place);
    case 'array':
      return arrayBounds(node, place);
    case 'object':
      return objectBounds(node, place);
    default:
      throw new Error(`${place} has no type and so no bound; declare its type`);
  }
}

function stringBounds({ maxLength, pattern }: SchemaNode, place: string): SchemaBounds {
  if (maxLength === undefined) throw new Error(`${place} is a string without maxLength`);
  // Every pattern of FIT allows only printable ASCII, which no encoder escapes.
  return scalar(2 + maxLength * (pattern === undefined ? BYTES_PER_CODE_POINT : 1));
}

function arrayBounds({ maxItems, uniqueItems, items }: SchemaNode, place: string): SchemaBounds {
  if (maxItems === undefined) throw new Error(`${place} is an array without maxItems`);
  if (uniqueItems === true)
    throw new Error(`${place} has uniqueItems, whose check is quadratic; use distinctArray`);
  const item = boundsOf(items ?? {}, `${place}[]`);
  return {
    bytes: 2 + maxItems * (item.bytes + 1),
    depth: item.depth + 1,
    elements: maxItems * (item.elements + 1),
  };
}

function objectBounds(node: SchemaNode, place: string): SchemaBounds {
  if (node.additionalProperties !== false)
    throw new Error(`${place} is an object without additionalProperties: false`);
  const properties = Object.entries(node.properties ?? {}).map(([name, property]) => {
    const { bytes, depth, elements } = boundsOf(property, `${place}.${name}`);
    return { bytes: jsonBytes(name) + 2 + bytes, depth, elements: elements + 1 };
  });
  return {
    bytes: 2 + sum(properties.map(({ bytes }) => bytes)),
    depth: 1 + Math.max(0, ...properties.map(({ depth }) => depth)),
    elements: sum(properties.map(({ elements }) => elements)),
  };
}

function scalar(bytes: number): SchemaBounds {
  return { bytes, depth: 0, elements: 0 };
}

function largest(choices: readonly SchemaBounds[]): SchemaBounds {
  return {
    bytes: Math.max(...choices.map(({ bytes }) => bytes)),
    depth: Math.max(...choices.map(({ depth }) => depth)),
    elements: Math.max(...choices.map(({ elements }) => elements)),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}
