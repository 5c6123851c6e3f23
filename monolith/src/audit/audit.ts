/** The audit of the monolith: stores entries with users and accounts under their pseudonyms, and reads them with their ids. */
import { randomBytes } from 'node:crypto';
import type { DatabaseClock } from '@fit/jobs/store';
import type { AuditLog, AuditTarget, BegunEntry, EntryEnd } from '@fit/service';
import type { AccountStore } from '../accounts/store/accountStore.ts';
import type { UserStore } from '../store/userStore.ts';
import { newPseudonym, pseudonymsIn, withIds, withPseudonyms } from './pseudonym.ts';
import {
  type AuditEntry,
  type AuditPage,
  type AuditQuery,
  type AuditStore,
  idAt,
} from './store/auditStore.ts';

export interface AuditParts {
  readonly entries: AuditStore;
  readonly users: Pick<UserStore, 'pseudonymOf' | 'findByPseudonyms'>;
  readonly accounts: Pick<AccountStore, 'find' | 'findByPseudonyms'>;
  readonly clock: Pick<DatabaseClock, 'now'>;
}

/** A page of entries, with the ids of those accounts and users that still exist. */
export interface NamedPage extends AuditPage {
  readonly idOf: ReadonlyMap<string, string>;
  /** Names of accounts, by their pseudonyms. */
  readonly nameOf: ReadonlyMap<string, string>;
}

export class Audit implements AuditLog {
  readonly #parts: AuditParts;
  #lastMs = 0;

  constructor(parts: AuditParts) {
    this.#parts = parts;
  }

  async begin({ action, caller, target, reason, requestId }: BegunEntry): Promise<string> {
    const pseudonymOf = await this.#pseudonymsOf(target);
    const at = this.#nextTime();
    const id = idAt(at) + randomBytes(4).toString('hex');
    await this.#parts.entries.insert({
      _id: id,
      at,
      action,
      account: caller.pseudonym,
      role: caller.role,
      target: hidden(target, pseudonymOf),
      ...(reason === undefined ? {} : { reason: withPseudonyms(reason, pseudonymOf) }),
      requestId,
      outcome: 'begun',
    });
    return id;
  }

  async complete(id: string, { target, status, code }: EntryEnd): Promise<void> {
    await this.#parts.entries.complete(id, {
      outcome: status < 400 ? 'done' : status < 500 ? 'refused' : 'failed',
      status,
      ...(code === undefined ? {} : { code }),
      ...(target === undefined ? {} : { target: hidden(target, await this.#pseudonymsOf(target)) }),
    });
  }

  /** @param query its account is an id or a pseudonym; a user, an account or the user of a job in its target as well. */
  async list({ account, target, ...query }: AuditQuery): Promise<NamedPage> {
    const pseudonymOf = await this.#pseudonymsOf({ account });
    const [name = '', value = ''] = target ?? [];
    const ofTarget = { [name]: value };
    const hiddenTarget = hidden(ofTarget, await this.#pseudonymsOf(ofTarget));
    const page = await this.#parts.entries.list({
      ...query,
      account: account === undefined ? undefined : withPseudonyms(account, pseudonymOf),
      target: target === undefined ? undefined : [name, String(hiddenTarget[name])],
    });
    return { ...page, ...(await this.#namesOf(page.entries)) };
  }

  /** Strictly rising within this process, so that no two of its entries have an order by chance. */
  #nextTime(): Date {
    this.#lastMs = Math.max(this.#lastMs + 1, this.#parts.clock.now().getTime());
    return new Date(this.#lastMs);
  }

  /** A user or an account that does not exist gets a pseudonym that nothing leads back from. */
  async #pseudonymsOf(target: AuditTarget): Promise<Map<string, string>> {
    const { users, accounts } = this.#parts;
    const pseudonyms = new Map<string, string>();
    const userId = userIdOf(target);
    if (userId !== undefined)
      pseudonyms.set(userId, (await users.pseudonymOf(userId)) ?? newPseudonym());
    const accountId = target['account'];
    if (typeof accountId === 'string')
      pseudonyms.set(accountId, (await accounts.find(accountId))?.pseudonym ?? newPseudonym());
    return pseudonyms;
  }

  async #namesOf(entries: readonly AuditEntry[]): Promise<Pick<NamedPage, 'idOf' | 'nameOf'>> {
    const pseudonyms = [
      ...new Set(
        entries.flatMap(({ account, target, reason = '' }) =>
          [account, ...Object.values(target), reason].flatMap((text) => pseudonymsIn(String(text))),
        ),
      ),
    ];
    const accounts = await this.#parts.accounts.findByPseudonyms(pseudonyms);
    const users = await this.#parts.users.findByPseudonyms(pseudonyms);
    return {
      idOf: new Map([...users, ...accounts.map(({ pseudonym, _id }) => [pseudonym, _id] as const)]),
      nameOf: new Map(accounts.map(({ pseudonym, name }) => [pseudonym, name])),
    };
  }
}

/** @returns the user whom a target names, by the id or by that of a job: of a workout, or one that a member submitted. */
function userIdOf({ user, job }: AuditTarget): string | undefined {
  if (typeof user === 'string') return user;
  const [, userId, rest] = typeof job === 'string' ? job.split(':') : [];
  return rest === undefined ? undefined : userId;
}

/** @returns the target as it is stored. */
function hidden(
  target: AuditTarget,
  pseudonymOf: ReadonlyMap<string, string>,
): AuditEntry['target'] {
  return Object.fromEntries(
    Object.entries(target).flatMap(([name, value]) =>
      value === undefined
        ? []
        : [[name, typeof value === 'string' ? withPseudonyms(value, pseudonymOf) : value]],
    ),
  );
}

/** @returns a target as a reader sees it. */
export function shown(
  target: AuditEntry['target'],
  idOf: ReadonlyMap<string, string>,
): AuditEntry['target'] {
  return Object.fromEntries(
    Object.entries(target).map(([name, value]) => [
      name,
      typeof value === 'string' ? withIds(value, idOf) : value,
    ]),
  );
}
