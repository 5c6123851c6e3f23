/** The process of the coach: configuration, database, HTTP, worker. The shutdown hooks run in reverse order. */
import { optionalText, useNativeBroker } from '@fit/contract';
import { EndCounter, type JobEvent } from '@fit/jobs';
import {
  awaitSchema,
  BACKGROUND_LIMITS,
  connectStore,
  countingRunStore,
  openJobStores,
  ResultStore,
} from '@fit/jobs/store';
import {
  countJobs,
  countPublishes,
  countRequests,
  countSessions,
  countStore,
  createApp,
  createServiceMetrics,
  DRAIN_MS,
  dependencyChecks,
  ErasedUsers,
  ErasureStore,
  exportPausedQueues,
  exportPoolGauges,
  Health,
  healthRoutes,
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
  withAttemptLogContext,
  withDocumentation,
} from '@fit/service';
import type { TopologyEvent } from '@fit/topology';
import { vhostOf } from '@fit/topology/amqp';
import { createWodHandler, SimulatedFailure } from './handlers/createWodHandler.ts';
import { ConsumerHeartbeat } from './health/consumerHeartbeat.ts';
import { exportWorkerGauges } from './metrics/workerMetrics.ts';
import { openWorkers, type Workers } from './openWorkers.ts';
import { readCoachConfig } from './readCoachConfig.ts';
import { COACH_DOCUMENT } from './routes/coachDocument.ts';
import { storedWodRoutes } from './routes/storedWodRoutes.ts';
import { WodStore } from './store/wodStore.ts';

useNativeBroker(process.env);
const log = openLog('coach');

await runService(log, async (shutdownHooks, stopping) => {
  const config = readCoachConfig(process.env);
  const { declaration } = config;

  const tracing = await openTracing('coach', log);
  shutdownHooks.push({ part: 'tracing', stop: () => tracing.stop() });
  const store = connectStore(config.mongodbUrl);
  shutdownHooks.push({ part: 'store', stop: () => store.close() });
  const wods = new WodStore(store.database);

  const running: { workers?: Workers } = {};
  const longestDeadlineMs = Math.max(
    config.deadlineMs,
    ...declaration.kinds.map(({ deadlineMs }) => deadlineMs),
  );
  const heartbeat = new ConsumerHeartbeat(longestDeadlineMs, () => running.workers);
  const health = new Health({
    stopping,
    ready: dependencyChecks({ isStoreUp: store.isUp, broker: () => running.workers }),
    alive: { consumer: () => heartbeat.check() },
  });
  const routes = withDocumentation(
    [...storedWodRoutes(wods, config.timezone), ...healthRoutes(health)],
    COACH_DOCUMENT,
  );

  const vhost = vhostOf(config.amqpUrl);
  const { metrics, plan } = createServiceMetrics('coach', { declaration, vhost, routes });
  const countJob = countJobs(metrics);
  const countSession = countSessions(metrics);
  const countPublish = countPublishes(metrics, plan);
  store.watch(countStore(metrics));
  exportPoolGauges(metrics, store);
  exportWorkerGauges(metrics, () => running.workers);
  const operations = await serveOperations({
    host: config.host,
    port: config.metricsPort,
    metrics,
    health,
    onDefect: logDefect(log),
  });
  shutdownHooks.push({ part: 'operations port', stop: () => operations.close() });
  const app = createApp({
    routes,
    // The coach reads accounts and keys of tokens from the database, so it accepts the tokens that the monolith issues.
    authenticate: openAccess(store.database).authenticate,
    onWrongTokens: logWrongTokens(log),
    onRequest: logRequests(log, countRequests(metrics, routes)),
    tracer: tracing.requests,
    onDefect: logDefect(log),
  });
  // The server opens before the worker and so closes after it: while the worker drains, /readyz answers `draining`.
  const server = await listen(app.callback(), config.host, config.port);
  shutdownHooks.push({ part: 'HTTP server', stop: () => server.close() });

  // No job is taken before the schema is known to be the right one. While the database does not answer, /readyz says so.
  await awaitSchema(store.database, {
    signal: stopping,
    onOutage: (error) => {
      log.error({ err: error }, 'the database does not answer; the worker starts when it does');
    },
  });
  const stores = await openJobStores(store.database);
  shutdownHooks.push({
    part: 'database clock',
    stop: () => {
      stores.clock.stop();
    },
  });
  // Before the worker opens: it must not take a job of a queue that is paused.
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
  exportPausedQueues(metrics, settings, { plan, vhost });
  const erased = await ErasedUsers.start(await ErasureStore.open(store.database));
  shutdownHooks.push({
    part: 'deleted users',
    stop: () => {
      erased.stop();
    },
  });
  const endCounter = new EndCounter({
    runs: stores.runs,
    countingRuns: countingRunStore(store.database, stores),
  });
  shutdownHooks.push({ part: 'end counter', stop: () => endCounter.close() });
  const connection = await openBroker({
    ...config,
    name: 'coach',
    stopping,
    onEvent: (event: TopologyEvent) => {
      countSession(event);
      countPublish(event);
      heartbeat.onBroker(event);
      logBrokerEvent(log, event);
    },
  });
  shutdownHooks.push({
    part: 'broker',
    stop: async () => {
      await connection.close({ deadline: 0 });
    },
  });
  running.workers = await openWorkers({
    ...config,
    connection,
    createWod: createWodHandler({
      ...config,
      wods,
      erased,
      failureRate: () => settings.valueOf('COACH_FAILURE_RATE'),
    }),
    results: new ResultStore(store.database),
    isQueuePaused: (queue) => settings.pauseOf(queue) !== undefined,
    version: optionalText(process.env, 'FIT_VERSION') ?? 'dev',
    settings: () => ({ COACH_FAILURE_RATE: settings.valueOf('COACH_FAILURE_RATE') }),
    stores,
    endCounter,
    // A simulated failure stands for a fault of one job and must not open the circuit breaker.
    breaker: { ignores: (error) => error instanceof SimulatedFailure },
    tracer: tracing.jobs,
    around: withAttemptLogContext,
    onEvent: (event: JobEvent) => {
      countJob(event);
      heartbeat.onEvent(event);
      logJobEvent(log, event);
    },
  });
  settings.watch(() => {
    running.workers?.setPaused((queue) => settings.pauseOf(queue) !== undefined);
  });
  shutdownHooks.push({ part: 'workers', stop: () => running.workers?.close(DRAIN_MS) });

  const queues = declaration.kinds.map(({ queue }) => queue);
  log.info({ url: server.url, metrics: operations.url, queues }, 'coach is working');
});
