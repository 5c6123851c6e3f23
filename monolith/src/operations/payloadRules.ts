/** What an edit of a payload may change, from the schemas of the kinds. */
import { type CreateWodPayload, createWod, JOB_KINDS, wodId } from '@fit/contract';
import { compilePayload } from '@fit/jobs';
import Type, { type TSchema } from 'typebox';
import type { PayloadRule, PayloadRules } from './editPayload.ts';

/** The key of a workout's job is its user and day; the keys of other kinds say nothing about their payloads. */
const KEY_OF: Readonly<Record<string, PayloadRule['keyOf']>> = {
  [createWod.name]: (payload) => {
    const { userId, date } = payload as CreateWodPayload;
    return wodId(userId, date);
  },
};

export const PAYLOAD_RULES: PayloadRules = new Map(
  JOB_KINDS.map(({ name, payload }) => {
    const keyOf = KEY_OF[name];
    return [
      name,
      { check: compilePayload(payload as TSchema), ...(keyOf === undefined ? {} : { keyOf }) },
    ] as const;
  }),
);

/** Schemas of the fields of all kinds; kinds may have fields of the same name. */
const FIELDS = Map.groupBy(
  JOB_KINDS.flatMap(({ payload }) => {
    const { properties = {} } = payload as { properties?: Readonly<Record<string, TSchema>> };
    return Object.entries(properties);
  }),
  ([field]) => field,
);

/** New values of fields of a payload; null deletes a field. Whether a kind has such a field is checked for each job. */
export const PayloadEdit = Type.Object(
  Object.fromEntries(
    [...FIELDS].map(([field, schemas]) => [
      field,
      Type.Optional(Type.Union([...schemas.map(([, schema]) => schema), Type.Null()])),
    ]),
  ),
  { additionalProperties: false, title: 'PayloadEdit' },
);
