/** The part of JSON Schema that the documents of the services use. Pure. */

export interface JsonSchema {
  readonly $ref?: string;
  readonly examples?: readonly unknown[];
  readonly default?: unknown;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
}

/** The shared schemas of a document, by name. */
export type SharedSchemas = Readonly<Record<string, JsonSchema>>;

/** @returns the schema, or the shared one that it refers to. */
export function resolveSchema(schema: JsonSchema, schemas: SharedSchemas): JsonSchema {
  return schema.$ref === undefined ? schema : (schemas[schema.$ref.replace(/^.*\//, '')] ?? {});
}
