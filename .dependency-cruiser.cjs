/** The import rules: each has a name, and its comment is the remedy. Run: npm run check. */

const PRODUCT = 'topology|topology-cli|jobs|workout|contract|service|client|console|monolith|coach';
/** Those after the product watch it, show it, run it or break it; the owners' rules are not for them. */
const WORKSPACES = `${PRODUCT}|prometheus|examples|site|dev/stack|dev/chaos|dev/bench|dev/packages|dev/api`;

/** @returns a pattern for the sources of some workspaces. */
const sourcesOf = (names) => `^(?:${names})/src/`;
/** @returns a pattern for every workspace but these. */
const allBut = (...names) =>
  `^(?:${WORKSPACES.split('|')
    .filter((name) => !names.includes(name))
    .join('|')})/`;
/** @returns a pattern for a package of npm, wherever it is installed. */
const packageOf = (name) => `(?:^|/)node_modules/(?:@types/)?${name}(?:/|$)`;

/** A package that one place owns: everything else asks the owner. */
const owned = (name, packagePattern, options) => ({
  name,
  comment: options.remedy,
  severity: 'error',
  from: { path: sourcesOf(PRODUCT), pathNot: options.owners },
  to: {
    path: packageOf(packagePattern),
    dependencyTypesNot: options.allowsTypes ? ['type-only'] : [],
  },
});

module.exports = {
  forbidden: [
    {
      name: 'topology-knows-nobody',
      comment:
        'Pass it in as a value: topology/ knows nothing of databases, workouts, or any other workspace.',
      severity: 'error',
      from: { path: sourcesOf('topology') },
      to: { path: allBut('topology') },
    },
    {
      name: 'jobs-knows-only-topology',
      comment:
        'Take the kind, its handler or its limits as a parameter: jobs/ serves any kind of job.',
      severity: 'error',
      from: { path: sourcesOf('jobs') },
      to: { path: allBut('jobs', 'topology') },
    },
    {
      name: 'contract-is-declaration',
      comment:
        'I/O belongs to a library or a process: contract/ only says what both processes agree on.',
      severity: 'error',
      from: { path: sourcesOf('contract') },
      to: {
        path: [
          allBut('contract', 'topology', 'jobs', 'workout'),
          '^topology/src/amqp/',
          '^jobs/src/store/',
          packageOf('(?:amqplib|mongodb|koa|@koa/router|prom-client|node-schedule)'),
        ],
      },
    },
    {
      name: 'contract-takes-types-of-jobs',
      comment:
        'Write `import type`: contract/ is loaded by both processes and must bring no runtime along.',
      severity: 'error',
      from: { path: sourcesOf('contract') },
      to: { path: '^jobs/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'kinds-load-lazily',
      comment:
        'Import it inside of `handler` by `await import(...)`: the monolith loads the file of a kind for its schemas, and not what its handler needs.',
      severity: 'error',
      from: { path: '^contract/src/kinds/' },
      to: {
        dynamic: false,
        dependencyTypesNot: ['type-only'],
        pathNot: ['^contract/src/', packageOf('typebox')],
      },
    },
    {
      name: 'service-knows-no-process',
      comment: 'Pass it in as a value: service/ serves both processes and is part of neither.',
      severity: 'error',
      from: { path: sourcesOf('service') },
      to: { path: allBut('service', 'contract', 'topology', 'jobs') },
    },
    {
      name: 'console-imports-nothing',
      comment:
        'Let the server say it in GET /status: the page is static files that any server may hand out.',
      severity: 'error',
      from: { path: sourcesOf('console') },
      to: { pathNot: ['^console/src/', '^(?:node:)?(?:fs|path)$'] },
    },
    {
      name: 'status-is-made-of-parts',
      comment:
        'Put what both need beside the folders, as cachedSource.ts is: queues/ and runs/ are parts of the status, and know nothing of it.',
      severity: 'error',
      from: { path: '^monolith/src/(?:queues|runs|store)/' },
      to: { path: '^monolith/src/status/' },
    },
    {
      name: 'libraries-have-no-http',
      comment: 'Report an event or a value; the process decides what its HTTP side shows of it.',
      severity: 'error',
      from: { path: sourcesOf('topology|jobs|contract') },
      to: { path: '^(?:service|client)/' },
    },
    {
      name: 'processes-never-meet',
      comment: 'Share it through contract/: monolith and coach are deployed apart.',
      severity: 'error',
      from: { path: '^(monolith|coach)/src/' },
      to: { path: '^(?:monolith|coach)/', pathNot: '^$1/' },
    },
    {
      name: 'pure-core',
      comment:
        'Move the I/O to amqp/: the declaration, the plan, its proofs and the decisions are pure. Hashing is.',
      severity: 'error',
      from: { path: '^topology/src/(?:declaration|define|plan|proof|retry)/' },
      to: {
        pathNot: [
          '^topology/src/(?:(?:declaration|define|plan|proof|retry)/|errors[.]ts$)',
          packageOf('@standard-schema/spec'),
          '^(?:node:)?crypto$',
        ],
      },
    },
    {
      name: 'amqp-asks-no-http',
      comment:
        'Compose them in assert/: amqp/ speaks AMQP alone, management/ the HTTP API alone, but for the types of objects.',
      severity: 'error',
      from: { path: '^topology/src/amqp/' },
      to: { path: '^topology/src/(?:management|assert|work)/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'management-speaks-no-amqp',
      comment: 'Compose them in assert/: management/ is the HTTP API of one virtual host.',
      severity: 'error',
      from: { path: '^topology/src/management/' },
      to: { path: '^topology/src/(?:amqp|assert|work)/' },
    },
    {
      name: 'tools-are-not-the-library',
      comment: "The operators' tools stand on the library; no service needs them.",
      severity: 'error',
      from: { path: sourcesOf('topology|jobs|contract|service|client|monolith|coach') },
      to: { path: '^topology-cli/' },
    },
    owned('only-amqp-speaks-amqp', 'amqplib', {
      owners: '^topology/src/amqp/',
      allowsTypes: true,
      remedy: 'Return a next step; topology/src/amqp carries it out.',
    }),
    owned('only-document-collections-speak-mongodb', 'mongodb', {
      owners: '^jobs/src/store/(?:connectStore|documentCollection|watchClient)[.]ts$',
      allowsTypes: true,
      remedy:
        'Ask a DocumentCollection: it gives each statement a limit on the server, and each write of several documents the order of their ids.',
    }),
    {
      name: 'only-stores-ask-the-database',
      comment: 'Call the store that owns the collection, or give it a new question to answer.',
      severity: 'error',
      from: { path: sourcesOf(PRODUCT), pathNot: ['/store/', '/replayDeadJobs[.]ts$'] },
      to: { path: '^jobs/src/store/documentCollection[.]ts$' },
    },
    owned('only-metrics-count', 'prom-client', {
      owners: '/metrics/',
      allowsTypes: true,
      remedy: 'Report an event; a listener in metrics/ counts it.',
    }),
    owned('only-tracing-traces', '@opentelemetry/.+', {
      owners: ['^service/src/tracing/', '^topology/src/otel/'],
      remedy:
        'Take a JobTracer or a RequestTracer as a parameter; service/src/tracing makes spans.',
    }),
    {
      name: 'tracing-is-loaded-when-on',
      comment: 'Import it dynamically: with tracing off, nothing of OpenTelemetry is loaded.',
      severity: 'error',
      from: { path: sourcesOf(PRODUCT), pathNot: '^service/src/tracing/' },
      to: { path: '^service/src/tracing/', pathNot: '^service/src/tracing/openTracing[.]ts$' },
    },
    owned('only-http-serves', '(?:koa|@koa/router)', {
      owners: ['^service/src/', '/(?:app|main)[.]ts$', '/(?:routes|middleware)/'],
      remedy: 'Define a route; service/ builds the application that serves it.',
    }),
    owned('only-slots-read-schedules', '(?:croner|cron-parser)', {
      owners: '^contract/src/slots[.]ts$',
      remedy: 'Ask Slots of @fit/contract/slots: two parsers differ where a clock changes.',
    }),
    owned('only-cron-schedules', 'node-schedule', {
      owners: '/cron_job[.]ts$',
      remedy: 'Export the work; cron_job.ts decides when it runs.',
    }),
    {
      name: 'through-the-front-door',
      comment:
        'Export it by name from the index, or do without: a workspace is entered by its `exports` only.',
      severity: 'error',
      from: { path: `^(${WORKSPACES})/src/` },
      to: {
        path: `^(?:${WORKSPACES})/src/`,
        pathNot: [
          '^$1/',
          `^(?:${WORKSPACES})/src/index[.]ts$`,
          '^topology/src/(?:amqp|assert|management|otel|testing|typebox|work)/index[.]ts$',
          '^topology-cli/src/(?:apply|drawing)/index[.]ts$',
          '^contract/src/slots[.]ts$',
          '^jobs/src/store/index[.]ts$',
          '^dev/stack/src/testing/index[.]ts$',
          '^service/src/process/secretFile[.]ts$',
          '^(?:monolith|coach)/src/routes/(?:monolithRoutes|monolithDocument|storedWodRoutes|coachDocument)[.]ts$',
        ],
      },
    },
    {
      name: 'handlers-are-deaf',
      comment: 'Return an outcome: the runtime settles it, counts it and logs it.',
      severity: 'error',
      from: { path: '/src/handlers/' },
      to: { path: [packageOf('(?:amqplib|prom-client|pino)'), '/log/', '/metrics/'] },
    },
    {
      name: 'workouts-are-pure',
      comment:
        'Pass it in: workout/ makes a workout of its arguments and imports nothing else, but for hashing.',
      severity: 'error',
      from: { path: sourcesOf('workout') },
      to: { pathNot: ['^workout/src/', '^(?:node:)?crypto$'] },
    },
    {
      name: 'no-cycle',
      comment: 'Move what both need into a file of its own, below them.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-orphan',
      comment: 'Import it, make it an entry in package.json, or delete it.',
      severity: 'error',
      from: {
        orphan: true,
        path: sourcesOf(WORKSPACES),
        pathNot: [
          '/(?:main|cli|index|generate|runTests|runUnitTests|runConformance|limitTestFile)[.]ts$',
          '^dev/(?:chaos|bench|packages|api)/',
          // Types alone, which comments import.
          '^console/src/page/model[.]js$',
          // Loaded by its page alone.
          '^service/src/openapi/page/start[.]js$',
        ],
      },
      to: {},
    },
    {
      name: 'product-never-imports-dev',
      comment:
        'Move what both need into a library: dev/ starts, breaks and measures the product and is not deployed with it.',
      severity: 'error',
      from: { path: [sourcesOf(PRODUCT), '^cron_job[.]ts$'] },
      to: { path: '^dev/' },
    },
    {
      name: 'no-dev-dependency-in-source',
      comment: 'Move it to the tests, or make it a dependency of the workspace.',
      severity: 'error',
      from: { path: sourcesOf(PRODUCT) },
      to: {
        path: [
          packageOf('(?:fast-check|typescript|eslint|knip|dependency-cruiser)'),
          `^(?:${WORKSPACES})/test/`,
        ],
      },
    },
    {
      name: 'no-unresolvable',
      comment: 'Declare the package in the workspace that imports it, and install it.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(?:^|/)(?:[.]stack|site/build)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['@fit/source', 'import', 'require', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json'],
    },
    // Workspaces are linked into node_modules: seen at their own place they have one name.
    preserveSymlinks: false,
  },
};
