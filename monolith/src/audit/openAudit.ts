/** The audit with the stores that it needs. */
import { type DatabaseClock, LOOKUP_LIMITS, type StoreDatabase } from '@fit/jobs/store';
import { AccountStore } from '../accounts/store/accountStore.ts';
import { UserStore } from '../store/userStore.ts';
import { Audit } from './audit.ts';
import { AuditStore } from './store/auditStore.ts';

/** Makes the index of entries. @throws StoreUnavailable */
export async function openAudit({
  database,
  clock,
}: {
  readonly database: StoreDatabase;
  readonly clock: Pick<DatabaseClock, 'now'>;
}): Promise<Audit> {
  const lookups = database.withLimits(LOOKUP_LIMITS);
  const entries = new AuditStore(lookups);
  await entries.ensureIndexes();
  return new Audit({
    entries,
    users: new UserStore(lookups),
    accounts: new AccountStore(lookups),
    clock,
  });
}
