/** Every route of the monolith, each with what it needs. */
import { pageFiles } from '@fit/console';
import type { JobStores, RunStore } from '@fit/jobs/store';
import { fileRoutes, type KeyRing, type Route, type Settings } from '@fit/service';
import type { Declaration } from '@fit/topology';
import type { Accounts } from '../accounts/accounts.ts';
import { accountRoutes } from '../accounts/routes/accountRoutes.ts';
import { signInRoutes } from '../accounts/routes/signInRoutes.ts';
import type { Audit } from '../audit/audit.ts';
import { auditRoutes } from '../audit/routes/auditRoutes.ts';
import type { Erasures } from '../erasure/erasures.ts';
import { erasureRoutes } from '../erasure/routes/erasureRoutes.ts';
import { failureRoutes } from '../failures/failureRoutes.ts';
import type { FailureStore } from '../failures/store/failureStore.ts';
import { operationRoutes } from '../operations/operationRoutes.ts';
import { PAYLOAD_RULES } from '../operations/payloadRules.ts';
import type { OperationStore } from '../operations/store/operationStore.ts';
import { queueRoutes } from '../queues/queueRoutes.ts';
import type { MonolithSetting } from '../readMonolithConfig.ts';
import type { RunStarter } from '../runs/runStarter.ts';
import { settingRoutes } from '../settings/settingRoutes.ts';
import type { OpenStatus } from '../status/statusBoard.ts';
import type { DailyRunStore } from '../store/dailyRunStore.ts';
import type { UserStore } from '../store/userStore.ts';
import type { JobSubmitter } from '../submit/jobSubmitter.ts';
import { submitRoutes } from '../submit/submitRoutes.ts';
import { topologyRoutes } from '../topology/topologyRoutes.ts';
import { workerRoutes } from '../workers/workerRoutes.ts';
import { dailyRunRoutes } from './dailyRunRoutes.ts';
import { jobRoutes } from './jobRoutes.ts';
import { runbookRoutes } from './runbookRoutes.ts';
import { runRoutes } from './runRoutes.ts';
import { statusRoutes } from './statusRoutes.ts';
import { userRoutes } from './userRoutes.ts';

export interface MonolithRouteParts {
  readonly stores: JobStores;
  /** `countingRunStore` of the stores. */
  readonly countingRuns: RunStore;
  /** Lets the relay of this process look for work at once. */
  readonly wakeRelay: () => void;
  readonly submitter: JobSubmitter;
  readonly users: UserStore;
  readonly accounts: Accounts;
  readonly keyRing: KeyRing;
  readonly audit: Audit;
  readonly erasures: Erasures;
  readonly starter: RunStarter;
  readonly failures: FailureStore;
  readonly operations: OperationStore;
  /** Called when an operation has something to do. */
  readonly onOperation: () => void;
  readonly dailyRun: DailyRunStore;
  readonly declaration: Declaration;
  readonly status: OpenStatus;
  readonly settings: Settings<MonolithSetting>;
  /** The time zone whose today is meant if a request names no date. */
  readonly timezone: string;
}

export function monolithRoutes(parts: MonolithRouteParts): Route[] {
  const { stores, countingRuns, wakeRelay, submitter, users, accounts, keyRing, starter } = parts;
  const { declaration, status, timezone } = parts;
  const { operations, onOperation: onChange } = parts;
  const queue = declaration.kinds[0]?.queue ?? '';
  return [
    ...signInRoutes(accounts),
    ...accountRoutes(accounts, keyRing),
    ...runRoutes({ ...stores, users, starter, queue }),
    ...dailyRunRoutes(parts),
    ...userRoutes({ ...stores, users, timezone }),
    ...jobRoutes({ ...stores, countingRuns, wakeRelay }),
    ...submitRoutes({ ...stores, submitter }),
    ...auditRoutes(parts),
    ...failureRoutes(parts),
    ...erasureRoutes(parts),
    ...operationRoutes({
      stores,
      operations,
      jobs: stores.jobs,
      rules: PAYLOAD_RULES,
      defaultRate: () => parts.settings.valueOf('FIT_REPLAY_PER_SECOND'),
      onChange,
    }),
    ...statusRoutes(status),
    ...queueRoutes(parts),
    ...workerRoutes(parts),
    ...settingRoutes(parts),
    ...topologyRoutes(parts),
    ...fileRoutes(pageFiles()),
    ...runbookRoutes(),
  ];
}
