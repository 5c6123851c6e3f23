/** The audit: who changed what, when and why. No route changes or deletes an entry. */
import { defineRoute, invalidInput, READERS, ROLES, type Route } from '@fit/service';
import Type, { type Static } from 'typebox';
import { Instant, instantOf } from '../../routes/instant.ts';
import { limitOf, listQuery } from '../../routes/keysetList.ts';
import { type Audit, type NamedPage, shown } from '../audit.ts';
import { withIds } from '../pseudonym.ts';
import type { AuditEntry } from '../store/auditStore.ts';

const Entry = Type.Object(
  {
    id: Type.String(),
    /** The database's time. */
    at: Type.String(),
    action: Type.String(),
    who: Type.Object({
      /** The id of the account while it exists, then a pseudonym, which begins with ~. */
      account: Type.String(),
      /** Of an account that exists, for administrators. */
      name: Type.Optional(Type.String()),
      /** The role at that time. */
      role: Type.Enum([...ROLES]),
    }),
    /** What was changed, as names and values; users and accounts that do not exist any more under their pseudonyms. */
    target: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()])),
    reason: Type.Optional(Type.String()),
    /** begun: the change may have happened. refused: nothing was changed. failed: not carried out, or not whole. */
    outcome: Type.Enum(['begun', 'done', 'refused', 'failed']),
    /** Of the answer. */
    status: Type.Optional(Type.Integer()),
    /** Of the problem that was answered. */
    code: Type.Optional(Type.String()),
    requestId: Type.String(),
  },
  { title: 'AuditEntry' },
);

const EntryId = Type.String({ pattern: '^[0-9a-f]{20}$', maxLength: 20 });
const TARGET = /^([a-z][A-Za-z]{0,39}):(.+)$/;

export function auditRoutes({ audit }: { readonly audit: Audit }): Route[] {
  return [
    defineRoute({
      method: 'get',
      paths: ['/audit'],
      access: READERS,
      summary: 'List who changed what, the newest first',
      description:
        'With a filter a reply may have fewer entries than `limit`, and even none, and still have `next`: only its absence means that no older entries follow. Entries are kept for two years.',
      tag: 'Audit',
      query: Type.Object(
        {
          /** Id of an account, or its pseudonym. */
          account: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
          action: Type.Optional(Type.String({ minLength: 1, maxLength: 80 })),
          /** Name and value, such as `user:ann`, `job:createWod:ann:2026-12-01` or `run:1f2e`. */
          target: Type.Optional(Type.String({ maxLength: 240 })),
          /** Such as 2026-12-01T00:00:00Z; inclusive. */
          from: Type.Optional(Instant),
          /** Exclusive. */
          to: Type.Optional(Instant),
          ...listQuery(EntryId),
        },
        { additionalProperties: false },
      ),
      reply: Type.Object({ entries: Type.Array(Entry), next: Type.Optional(EntryId) }),
      handle: async ({ query, caller }) => {
        const page = await audit.list({
          account: query.account,
          action: query.action,
          target: targetOf(query.target),
          from: query.from === undefined ? undefined : instantOf('query.from', query.from),
          to: query.to === undefined ? undefined : instantOf('query.to', query.to),
          after: query.after,
          limit: limitOf(query),
        });
        const showsNames = caller?.role === 'admin';
        return {
          body: {
            entries: page.entries.map((entry) => toReply(entry, page, showsNames)),
            ...(page.next === undefined ? {} : { next: page.next }),
          },
        };
      },
    }),
  ];
}

function targetOf(text: string | undefined): [name: string, value: string] | undefined {
  if (text === undefined) return undefined;
  const [, name, value] = TARGET.exec(text) ?? [];
  if (name === undefined || value === undefined)
    throw invalidInput('query.target', 'must be a name and a value, such as user:ann');
  return [name, value];
}

function toReply(
  { _id, at, action, account, role, target, reason, outcome, status, code, requestId }: AuditEntry,
  { idOf, nameOf }: NamedPage,
  showsNames: boolean,
): Static<typeof Entry> {
  const name = showsNames ? nameOf.get(account) : undefined;
  return {
    id: _id,
    at: at.toISOString(),
    action,
    who: {
      account: idOf.get(account) ?? account,
      ...(name === undefined ? {} : { name }),
      role,
    },
    target: shown(target, idOf),
    ...(reason === undefined ? {} : { reason: withIds(reason, idOf) }),
    outcome,
    ...(status === undefined ? {} : { status }),
    ...(code === undefined ? {} : { code }),
    requestId,
  };
}
