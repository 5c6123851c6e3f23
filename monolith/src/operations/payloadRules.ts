/** What an edit of a payload may change, from the schemas of the kinds. */
import { CreateWodPayload, wodId } from '@fit/contract';
import { compilePayload } from '@fit/jobs';
import Type, { type TSchema } from 'typebox';
import type { PayloadRule, PayloadRules } from './editPayload.ts';

interface EditableKind {
  readonly name: string;
  readonly payload: TSchema & { readonly properties: Readonly<Record<string, TSchema>> };
  readonly keyOf?: PayloadRule['keyOf'];
}

const KINDS: readonly EditableKind[] = [
  {
    name: 'createWod',
    payload: CreateWodPayload,
    keyOf: (payload) => {
      const { userId, date } = payload as CreateWodPayload;
      return wodId(userId, date);
    },
  },
];

export const PAYLOAD_RULES: PayloadRules = new Map(
  KINDS.map(({ name, payload, keyOf }) => [
    name,
    { check: compilePayload(payload), ...(keyOf === undefined ? {} : { keyOf }) },
  ]),
);

const FIELDS = [...new Set(KINDS.flatMap(({ payload }) => Object.keys(payload.properties)))];

/** New values of fields of a payload; null deletes a field. Whether a kind has such a field is checked for each job. */
export const PayloadEdit = Type.Object(
  Object.fromEntries(
    FIELDS.map((field) => {
      const values = KINDS.flatMap(({ payload }) => payload.properties[field] ?? []);
      return [field, Type.Optional(Type.Union([...values, Type.Null()]))];
    }),
  ),
  { additionalProperties: false, title: 'PayloadEdit' },
);
