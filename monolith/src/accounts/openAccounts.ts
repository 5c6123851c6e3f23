/** The accounts of the monolith with the stores that they need. */
import { LOOKUP_LIMITS, type StoreConnection } from '@fit/jobs/store';
import type { CallerMemory, KeyRing } from '@fit/service';
import { loadSecretFile, type OnWarning } from '@fit/service/secret-file';
import type { MonolithConfig } from '../readMonolithConfig.ts';
import type { UserStore } from '../store/userStore.ts';
import { Accounts } from './accounts.ts';
import { AccountStore } from './store/accountStore.ts';
import { SessionStore } from './store/sessionStore.ts';
import { SignInLimits } from './store/signInLimits.ts';

export interface OpenAccountsOptions {
  readonly config: Pick<
    MonolithConfig,
    'bootstrapSecret' | 'bootstrapSecretFile' | 'cronSecret' | 'cronSecretFile'
  >;
  readonly isRegistrationOpen: () => boolean;
  readonly store: Pick<StoreConnection, 'database'>;
  readonly users: Pick<UserStore, 'create'>;
  readonly keyRing: KeyRing;
  readonly callers: CallerMemory;
  readonly onWarning: OnWarning;
}

/** Makes the indexes, the secrets that are missing and the account of cron. @throws SecretError, StoreUnavailable */
export async function openAccounts({
  config,
  isRegistrationOpen,
  store,
  users,
  keyRing,
  callers,
  onWarning,
}: OpenAccountsOptions): Promise<Accounts> {
  const database = store.database.withLimits(LOOKUP_LIMITS);
  const accounts = new AccountStore(database);
  const sessions = new SessionStore(database);
  const limits = new SignInLimits(database);
  for (const store of [accounts, sessions, limits]) await store.ensureIndexes();
  const opened = new Accounts({
    accounts,
    sessions,
    limits,
    users,
    keyRing,
    callers,
    bootstrapSecret:
      config.bootstrapSecret ?? (await loadSecretFile(config.bootstrapSecretFile, onWarning)),
    isRegistrationOpen,
    readCronSecret: async () =>
      config.cronSecret ?? (await loadSecretFile(config.cronSecretFile, onWarning)),
  });
  await opened.provideCronAccount();
  return opened;
}
