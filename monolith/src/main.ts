/** The monolith, top to bottom: configuration, store, broker, background tasks, HTTP. Stopped in reverse order. */
import { useNativeBroker } from '@fit/contract';
import type { JobEvent } from '@fit/jobs';
import {
  BACKGROUND_LIMITS,
  connectStore,
  DeadLetterStore,
  JobStore,
  LeaseStore,
  type StoreConnection,
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
  exportPoolGauges,
  Health,
  healthRoutes,
  listen,
  logDefect,
  logJobEvent,
  logRequests,
  logSessionEvent,
  logWrongTokens,
  openLog,
  openTracing,
  runService,
  serveOperations,
} from '@fit/service';
import { type SessionEvent, vhostOf } from '@fit/topology/amqp';
import { loadAdminToken } from './adminToken.ts';
import { type BackgroundTasks, livenessOf, startBackgroundTasks } from './backgroundTasks.ts';
import { readBackgroundTasks } from './metrics/backgroundTaskMetrics.ts';
import { exportLiveLimits } from './metrics/liveLimits.ts';
import { recordMetrics } from './metrics/recordMetrics.ts';
import { readMonolithConfig } from './readMonolithConfig.ts';
import { monolithRoutes } from './routes/monolithRoutes.ts';
import { openStatus } from './status/openStatus.ts';
import { DailyRunStore } from './store/dailyRunStore.ts';
import { RunStore } from './store/runStore.ts';
import { UserStore } from './store/userStore.ts';

useNativeBroker(process.env);
const log = openLog('monolith');

await runService(log, async (shutdownHooks, stopping) => {
  const config = readMonolithConfig(process.env);
  const { declaration } = config;
  const adminToken =
    config.adminToken ??
    (await loadAdminToken(config.adminTokenFile, (line) => {
      log.warn(line);
    }));

  const tracing = await openTracing('monolith', log);
  shutdownHooks.push({ part: 'tracing', stop: () => tracing.stop() });
  const store = connectStore(config.mongodbUrl);
  shutdownHooks.push({ part: 'store', stop: () => store.close() });
  const { jobs, runs, users, dailyRun } = await openCollections(store);
  const status = openStatus(config, declaration, { jobs, runs });
  shutdownHooks.push({ part: 'status', stop: () => status.stop() });

  const running: { backgroundTasks?: BackgroundTasks } = {};
  const ready = dependencyChecks({ isStoreUp: store.isUp, broker: () => running.backgroundTasks });
  const health = new Health({ stopping, ready, alive: livenessOf(() => running.backgroundTasks) });
  const routes = [
    ...monolithRoutes({
      store,
      users,
      runs,
      dailyRun,
      jobs,
      declaration,
      status,
      timezone: config.timezone,
      largeRunShare: tracing.largeRunShare,
      onPending: () => {
        running.backgroundTasks?.wake();
      },
    }),
    ...healthRoutes(health),
  ];

  const vhost = vhostOf(config.amqpUrl);
  const { metrics, plan } = createServiceMetrics('monolith', { declaration, vhost, routes });
  const [countJob, countSession] = [countJobs(metrics), countSessions(metrics)];
  store.watch(countStore(metrics));
  exportPoolGauges(metrics, store);
  readBackgroundTasks(metrics, () => running.backgroundTasks);
  shutdownHooks.push({ part: 'record metrics', stop: recordMetrics(metrics, jobs, dailyRun) });
  status.sampler.onSample(exportLiveLimits(metrics, plan, vhost));
  const operations = await serveOperations({
    host: config.host,
    port: config.metricsPort,
    metrics,
    health,
    onDefect: logDefect(log),
  });
  shutdownHooks.push({ part: 'operations port', stop: () => operations.close() });
  const app = createApp({
    adminToken,
    routes,
    onRequest: logRequests(log, countRequests(metrics, routes)),
    tracer: tracing.requests,
    onDefect: logDefect(log),
    onWrongTokens: logWrongTokens(log),
  });
  // The server opens before the background tasks and so closes after them: jobs accepted meanwhile stay pending, and /readyz answers 'draining'.
  const server = await listen(app.callback(), config.host, config.port);
  shutdownHooks.push({
    part: 'HTTP server',
    stop: () => {
      // Streams have no end of their own: they would keep the server from closing.
      status.streams.close();
      return server.close();
    },
  });

  running.backgroundTasks = await startBackgroundTasks({
    ...config,
    declaration,
    // Relay and reconciler work under a lease, so a statement of theirs must end before it does.
    store: new JobStore(store.database.withLimits(BACKGROUND_LIMITS)),
    leases: new LeaseStore(store.database),
    letters: new DeadLetterStore(store.database),
    tracer: tracing.jobs,
    onEvent: (event: JobEvent) => {
      countJob(event);
      logJobEvent(log, event);
    },
    onSession: (event: SessionEvent) => {
      countSession(event);
      logSessionEvent(log, event);
    },
    onPublish: countPublishes(metrics, plan),
  });
  shutdownHooks.push({ part: 'background tasks', stop: () => running.backgroundTasks?.stop() });

  log.info({ url: server.url, metrics: operations.url }, 'monolith is open');
});

async function openCollections({ database }: StoreConnection) {
  const [jobs, runs] = [new JobStore(database), new RunStore(database)];
  await jobs.ensureIndexes();
  await runs.ensureIndexes();
  return {
    jobs,
    runs,
    users: new UserStore(database),
    dailyRun: new DailyRunStore(database),
  };
}
