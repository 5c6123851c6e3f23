/**
 * The process of the monolith, from top to bottom: configuration, database, status, routes, metrics, HTTP server,
 * background tasks. Each part registers a shutdown hook; the hooks run in reverse order.
 */
import { useNativeBroker } from '@fit/contract';
import type { JobEvent } from '@fit/jobs';
import {
  BACKGROUND_LIMITS,
  connectStore,
  DeadLetterStore,
  JobStore,
  LeaseStore,
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
import { loadSecretFile } from '@fit/service/secret-file';
import { type SessionEvent, vhostOf } from '@fit/topology/amqp';
import { type BackgroundTasks, livenessOf, startBackgroundTasks } from './backgroundTasks.ts';
import {
  exportBackgroundTasks,
  exportJobRecords,
  exportLimitsInForce,
} from './metrics/monolithMetrics.ts';
import { readMonolithConfig } from './readMonolithConfig.ts';
import { monolithRoutes } from './routes/monolithRoutes.ts';
import { openStatus } from './status/statusBoard.ts';
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
    (await loadSecretFile(config.adminTokenFile, (line) => {
      log.warn(line);
    }));

  const tracing = await openTracing('monolith', log);
  shutdownHooks.push({ part: 'tracing', stop: () => tracing.stop() });
  const store = connectStore(config.mongodbUrl);
  shutdownHooks.push({ part: 'store', stop: () => store.close() });
  await requireSchema(store.database);
  const jobs = new JobStore(store.database);
  await jobs.ensureIndexes();
  const runs = new RunStore(store.database);
  await runs.ensureIndexes();
  const dailyRun = new DailyRunStore(store.database);
  const status = openStatus(config, declaration, { jobs, runs });
  shutdownHooks.push({ part: 'status', stop: () => status.stop() });

  const running: { backgroundTasks?: BackgroundTasks } = {};
  const ready = dependencyChecks({ isStoreUp: store.isUp, broker: () => running.backgroundTasks });
  const health = new Health({ stopping, ready, alive: livenessOf(() => running.backgroundTasks) });
  const routes = [
    ...monolithRoutes({
      store,
      users: new UserStore(store.database),
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
  const countJob = countJobs(metrics);
  const countSession = countSessions(metrics);
  store.watch(countStore(metrics));
  exportPoolGauges(metrics, store);
  exportBackgroundTasks(metrics, () => running.backgroundTasks);
  shutdownHooks.push({
    part: 'job record metrics',
    stop: exportJobRecords(metrics, jobs, dailyRun),
  });
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
    adminToken,
    routes,
    onRequest: logRequests(log, countRequests(metrics, routes)),
    tracer: tracing.requests,
    onDefect: logDefect(log),
    onWrongTokens: logWrongTokens(log),
  });
  // The server opens before the background tasks, so it closes after them: until then /readyz answers 'draining', and
  // jobs that are accepted stay pending for the next start.
  const server = await listen(app.callback(), config.host, config.port);
  shutdownHooks.push({
    part: 'HTTP server',
    stop: () => {
      // Event streams do not end by themselves, and the server waits for open replies.
      status.streams.close();
      return server.close();
    },
  });

  running.backgroundTasks = await startBackgroundTasks({
    ...config,
    declaration,
    // Relay and reconciler work under a lease, so their statements have limits that end before the lease does.
    store: new JobStore(store.database.withLimits(BACKGROUND_LIMITS)),
    leases: new LeaseStore(store.database),
    deadLetters: new DeadLetterStore(store.database),
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

  log.info({ url: server.url, metrics: operations.url }, 'the monolith accepts requests');
});
