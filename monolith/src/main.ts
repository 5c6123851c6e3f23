/**
 * The process of the monolith, from top to bottom: configuration, database, status, routes, metrics, HTTP server,
 * background tasks. Each part registers a shutdown hook; the hooks run in reverse order.
 */
import { dayIn, useNativeBroker } from '@fit/contract';
import {
  type BackgroundTasks,
  defaultStaleAfterMs,
  Enqueuer,
  type JobEvent,
  LeasedLoop,
  startBackgroundTasks,
  TASK_NAMES,
} from '@fit/jobs';
import {
  BACKGROUND_LIMITS,
  backgroundStores,
  connectStore,
  countingRunStore,
  ensureIndexes,
  openJobStores,
  REQUEST_LIMITS,
  requireSchema,
} from '@fit/jobs/store';
import {
  countJobs,
  countPublishes,
  countRequests,
  countSessions,
  countStore,
  createApp,
  createServiceMetrics,
  dependencyChecks,
  ErasureStore,
  exportPausedQueues,
  exportPoolGauges,
  Health,
  healthRoutes,
  IdempotencyStore,
  listen,
  logBrokerEvent,
  logDefect,
  logJobEvent,
  logRequests,
  logWrongTokens,
  openAccess,
  openBroker,
  openLog,
  openTracing,
  runService,
  Settings,
  serveOperations,
  withDocumentation,
} from '@fit/service';
import type { Connection, TopologyEvent } from '@fit/topology';
import { vhostOf } from '@fit/topology/amqp';
import { openAccounts } from './accounts/openAccounts.ts';
import { openAudit } from './audit/openAudit.ts';
import { eraseDeadLetters } from './erasure/brokerDeadLetters.ts';
import { Erasures } from './erasure/erasures.ts';
import { UserTraces } from './erasure/store/userTraces.ts';
import { COUNT_PAUSE_MS, FailureCounter } from './failures/failureCounter.ts';
import { FailureStore } from './failures/store/failureStore.ts';
import { openJobEffects, resultRetention } from './jobEffects.ts';
import {
  exportBackgroundTasks,
  exportJobRecords,
  exportLimitsInForce,
} from './metrics/monolithMetrics.ts';
import { OperationRunner } from './operations/operationRunner.ts';
import { PAYLOAD_RULES } from './operations/payloadRules.ts';
import { OperationStore } from './operations/store/operationStore.ts';
import { readMonolithConfig } from './readMonolithConfig.ts';
import { MONOLITH_DOCUMENT } from './routes/monolithDocument.ts';
import { monolithRoutes } from './routes/monolithRoutes.ts';
import { RunStarter } from './runs/runStarter.ts';
import { wodSource } from './runs/wodSource.ts';
import { readJobFigures } from './status/jobFigures.ts';
import { openStatus } from './status/statusBoard.ts';
import { DailyRunStore } from './store/dailyRunStore.ts';
import { UserStore } from './store/userStore.ts';
import { WodRunStore } from './store/wodRunStore.ts';
import { JobSubmitter } from './submit/jobSubmitter.ts';
import { watchTasks } from './taskLiveness.ts';

/** Longest time until an operation that another process has stored begins, in milliseconds. */
const OPERATION_PAUSE_MS = 1_000;

useNativeBroker(process.env);
const log = openLog('monolith');

await runService(log, async (shutdownHooks, stopping) => {
  const config = readMonolithConfig(process.env);
  const { declaration } = config;
  const kinds = declaration.kinds.map(({ kind }) => kind);

  const tracing = await openTracing('monolith', log);
  shutdownHooks.push({ part: 'tracing', stop: () => tracing.stop() });
  const store = connectStore(config.mongodbUrl);
  shutdownHooks.push({ part: 'store', stop: () => store.close() });
  await requireSchema(store.database);
  // Without these limits a request waits for 14 s where the database falls silent.
  const requests = store.database.withLimits(REQUEST_LIMITS);
  const stores = await openJobStores(requests);
  shutdownHooks.push({
    part: 'database clock',
    stop: () => {
      stores.clock.stop();
    },
  });
  await ensureIndexes(stores);
  const countingRuns = countingRunStore(store.database, stores);
  const wodRuns = new WodRunStore(requests);
  await wodRuns.ensureIndexes();
  const dailyRun = new DailyRunStore(requests);
  const idempotency = new IdempotencyStore(requests);
  await idempotency.ensureIndexes();
  const operationStore = new OperationStore(requests);
  await operationStore.ensureIndexes();
  const erasureStore = await ErasureStore.open(requests);
  await erasureStore.ensureIndexes();
  const users = new UserStore(requests, erasureStore);
  await users.ensureIndexes();
  const settings = await Settings.open(
    store.database.withLimits(BACKGROUND_LIMITS),
    config.settings,
  );
  shutdownHooks.push({
    part: 'settings',
    stop: () => {
      settings.stop();
    },
  });
  const { authenticate, keyRing, callers } = openAccess(store.database);
  const accounts = await openAccounts({
    config,
    isRegistrationOpen: () => settings.valueOf('FIT_REGISTRATION') === 'open',
    store,
    users,
    keyRing,
    callers,
    onWarning: (line) => {
      log.warn(line);
    },
  });
  const audit = await openAudit({ database: store.database, clock: stores.clock });
  const running: {
    connection?: Connection;
    backgroundTasks?: BackgroundTasks;
    operationLoop?: LeasedLoop;
  } = {};
  const status = openStatus(
    config,
    declaration,
    { ...stores, wodRuns },
    {
      settings,
      depthOf: async (queue) => {
        if (running.connection === undefined) throw new Error('the broker is not connected yet');
        return await running.connection.depthOf(queue);
      },
    },
  );
  shutdownHooks.push({
    part: 'status',
    stop: () => {
      status.stop();
    },
  });

  const staleAfterMs = config.staleAfterMs ?? defaultStaleAfterMs(declaration);
  const background = store.database.withLimits(BACKGROUND_LIMITS);
  const erasures = new Erasures({
    store: await ErasureStore.open(background),
    traces: new UserTraces(background),
    // A recorder moves them into the database, where the traces have them.
    eraseFromBroker: async (userId) => {
      if (!config.isDeadLetterRecorderOn)
        await eraseDeadLetters(config.amqpUrl, declaration, userId);
    },
    leases: stores.leases,
    clock: stores.clock,
    settleMs: staleAfterMs,
    onEvent: (event: JobEvent) => {
      logJobEvent(log, event);
    },
  });

  const ready = dependencyChecks({ isStoreUp: store.isUp, broker: () => running.backgroundTasks });
  const liveness = watchTasks();
  const health = new Health({ stopping, ready, alive: liveness.checks });
  const routes = withDocumentation(
    [
      ...monolithRoutes({
        stores,
        countingRuns,
        wakeRelay: () => running.backgroundTasks?.relay?.wake(),
        submitter: new JobSubmitter({
          // With these limits the statements of a job end before the lease of its batch does.
          enqueuer: new Enqueuer({
            stores: backgroundStores(store.database, stores),
            relay: () => running.backgroundTasks?.relay,
          }),
          users,
          declaration,
          today: () => dayIn(config.timezone, new Date()),
        }),
        users,
        accounts,
        keyRing,
        audit,
        erasures,
        starter: new RunStarter({
          runs: stores.runs,
          expander: () => running.backgroundTasks?.relay,
          today: () => dayIn(config.timezone, new Date()),
        }),
        failures: new FailureStore(requests),
        operations: operationStore,
        onOperation: () => running.operationLoop?.wake(),
        dailyRun,
        declaration,
        status,
        settings,
        timezone: config.timezone,
      }),
      ...healthRoutes(health),
    ],
    MONOLITH_DOCUMENT,
  );

  const vhost = vhostOf(config.amqpUrl);
  const { metrics, plan } = createServiceMetrics('monolith', { declaration, vhost, routes });
  const countJob = countJobs(metrics);
  const countSession = countSessions(metrics);
  const countPublish = countPublishes(metrics, plan);
  store.watch(countStore(metrics));
  exportPoolGauges(metrics, store);
  exportBackgroundTasks(metrics, () => running.backgroundTasks);
  shutdownHooks.push({
    part: 'job record metrics',
    stop: exportJobRecords(metrics, {
      readFigures: () => readJobFigures({ ...stores, kinds }),
      dailyRun,
    }),
  });
  exportPausedQueues(metrics, settings, { plan, vhost });
  status.sampler.onSample(exportLimitsInForce(metrics, plan, vhost));
  const operations = await serveOperations({
    host: config.host,
    port: config.metricsPort,
    metrics,
    health,
    onDefect: logDefect(log),
  });
  shutdownHooks.push({ part: 'operations port', stop: () => operations.close() });
  const app = createApp({
    authenticate,
    routes,
    idempotency,
    audit,
    onRequest: logRequests(log, countRequests(metrics, routes)),
    tracer: tracing.requests,
    onDefect: logDefect(log),
    onWrongTokens: logWrongTokens(log),
  });
  // The server opens before the background tasks, so it closes after them: until then /readyz answers 'draining', and runs
  // that are accepted wait for another relay or the next start.
  const server = await listen(app.callback(), config.host, config.port);
  shutdownHooks.push({
    part: 'HTTP server',
    stop: () => {
      // Event streams do not end by themselves, and the server waits for open replies.
      status.streams.close();
      return server.close();
    },
  });

  const backgroundUsers = new UserStore(store.database.withLimits(BACKGROUND_LIMITS));
  const connection = await openBroker({
    ...config,
    name: 'monolith',
    stopping,
    onEvent: (event: TopologyEvent) => {
      countSession(event);
      countPublish(event);
      logBrokerEvent(log, event);
    },
  });
  shutdownHooks.push({
    part: 'broker',
    stop: async () => {
      await connection.close({ deadline: 0 });
    },
  });
  const onJobEvent = (event: JobEvent) => {
    countJob(event);
    logJobEvent(log, event);
  };
  const jobStores = backgroundStores(store.database, stores);
  running.connection = connection;
  running.backgroundTasks = await startBackgroundTasks({
    connection,
    declaration,
    tasks: TASK_NAMES.filter((task) => task !== 'deadLetters' || config.isDeadLetterRecorderOn),
    staleAfterMs,
    retentionPolicy: {
      get jobDays() {
        return settings.valueOf('FIT_JOB_RETENTION_DAYS');
      },
      get effectDays() {
        return settings.valueOf('FIT_WORKOUT_RETENTION_DAYS');
      },
    },
    targetSeconds: () => settings.valueOf('FIT_RELAY_SECONDS'),
    stores: jobStores,
    countingRuns,
    retentionPolicyOf: resultRetention(() => settings.valueOf('FIT_JOB_RETENTION_DAYS')),
    effects: openJobEffects(store.database.withLimits(BACKGROUND_LIMITS)),
    source: wodSource({
      users: backgroundUsers,
      largeRunShare: tracing.largeRunShare,
    }),
    tracer: tracing.jobs,
    onEvent: onJobEvent,
    onRound: liveness.onRound,
  });
  erasures.start();
  shutdownHooks.push({ part: 'deletions of users', stop: () => erasures.stop() });
  liveness.begin();
  shutdownHooks.push({ part: 'background tasks', stop: () => running.backgroundTasks?.stop() });
  const operationRunner = new OperationRunner({
    stores: jobStores,
    countingRuns,
    operations: new OperationStore(store.database.withLimits(BACKGROUND_LIMITS)),
    rules: PAYLOAD_RULES,
    onPart: () => running.backgroundTasks?.relay?.wake(),
  });
  running.operationLoop = new LeasedLoop({
    name: 'operations',
    leases: stores.leases,
    round: () => operationRunner.round(stopping),
    pauseMs: OPERATION_PAUSE_MS,
    onEvent: onJobEvent,
  });
  shutdownHooks.push({ part: 'operations', stop: () => running.operationLoop?.stop() });
  const failures = new FailureStore(background);
  const failureCounter = new FailureCounter({ ...stores, failures });
  const failureLoop = new LeasedLoop({
    name: 'failures',
    leases: stores.leases,
    round: () => failureCounter.round(),
    pauseMs: COUNT_PAUSE_MS,
    onEvent: onJobEvent,
  });
  shutdownHooks.push({ part: 'failures', stop: () => failureLoop.stop() });

  log.info({ url: server.url, metrics: operations.url }, 'the monolith accepts requests');
});
