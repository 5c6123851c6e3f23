/** The audit with the stores that it needs. */
import type { DatabaseClock, StoreDatabase } from '@fit/jobs/store';
import { AccountStore } from '../accounts/store/accountStore.ts';
import type { UserStore } from '../store/userStore.ts';
import { Audit } from './audit.ts';
import { AuditStore } from './store/auditStore.ts';

/** Makes the index of entries. @throws StoreUnavailable */
export async function openAudit({
  database,
  users,
  clock,
}: {
  readonly database: StoreDatabase;
  readonly users: UserStore;
  readonly clock: Pick<DatabaseClock, 'now'>;
}): Promise<Audit> {
  const entries = new AuditStore(database);
  await entries.ensureIndexes();
  return new Audit({ entries, users, accounts: new AccountStore(database), clock });
}
