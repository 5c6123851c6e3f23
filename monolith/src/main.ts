/** The monolith, top to bottom: configuration, store, broker, duties, HTTP. Stopped in reverse order. */
import { readFitTopology } from '@fit/contract';
import {
  createApp,
  exportLimits,
  healthRoutes,
  jobMetrics,
  listen,
  logDefect,
  logJobEvent,
  logRequests,
  logSessionEvent,
  openLog,
  openTracing,
  type Readiness,
  runService,
  serveOperations,
  serviceMetrics,
} from '@fit/http';
import type { JobEvent } from '@fit/jobs';
import { connectStore, JobStore, LeaseStore, LetterStore } from '@fit/jobs/store';
import { type SessionEvent, vhostOf } from '@fit/topology/amqp';
import { loadAdminToken } from './adminToken.ts';
import { type Duties, startDuties } from './duties.ts';
import { recordMetrics } from './metrics/recordMetrics.ts';
import { readMonolithConfig } from './readMonolithConfig.ts';
import { monolithRoutes } from './routes/monolithRoutes.ts';
import { RunStore } from './store/runStore.ts';
import { UserStore } from './store/userStore.ts';

const log = openLog('monolith');

await runService(log, async (stops) => {
  const config = readMonolithConfig(process.env);
  const declaration = readFitTopology(process.env);
  const adminToken = config.adminToken ?? (await loadAdminToken(config.adminTokenFile));

  const tracing = await openTracing('monolith', log);
  stops.push(() => tracing.stop());
  const store = connectStore(config.mongodbUrl);
  stops.push(() => store.close());
  const jobs = new JobStore(store.database);
  const runs = new RunStore(store.database);
  const users = new UserStore(store.database);
  await jobs.ensureIndexes();
  await runs.ensureIndexes();

  const running: { duties?: Duties } = {};
  const metrics = serviceMetrics(() => running.duties?.isUp === true);
  const countJob = jobMetrics(metrics.registry, declaration);
  exportLimits(metrics.registry, declaration, vhostOf(config.amqpUrl));
  const stopRefreshing = recordMetrics(metrics.registry, jobs);
  stops.push(() => {
    stopRefreshing();
    return Promise.resolve();
  });

  const readiness: Readiness = async () => ({
    store: await store.isUp(),
    broker: running.duties?.isUp === true,
  });
  const operations = await serveOperations({
    host: config.host,
    port: config.metricsPort,
    registry: metrics.registry,
    readiness,
  });
  stops.push(() => operations.close());

  running.duties = await startDuties({
    ...config,
    declaration,
    store: jobs,
    leases: new LeaseStore(store.database),
    letters: new LetterStore(store.database),
    tracer: tracing.jobs,
    onEvent: (event: JobEvent) => {
      countJob(event);
      logJobEvent(log, event);
    },
    onSession: (event: SessionEvent) => {
      metrics.onSession(event);
      logSessionEvent(log, event);
    },
  });
  stops.push(async () => running.duties?.stop());

  const app = createApp({
    adminToken,
    routes: [
      ...monolithRoutes({
        ...{ store, users, runs, jobs, declaration },
        onPending: () => {
          running.duties?.kick();
        },
      }),
      ...healthRoutes(readiness),
    ],
    onRequest: logRequests(log, metrics.onRequest),
    tracer: tracing.requests,
    onDefect: logDefect(log),
  });
  const server = await listen(app.callback(), config.host, config.port);
  stops.push(() => server.close());
  log.info({ url: server.url, metrics: operations.url }, 'monolith is open');
});
