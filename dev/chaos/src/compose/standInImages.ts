/**
 * Stand-ins for the images that docker-compose.yml and the Dockerfile name, under the same names. Broker, Prometheus,
 * Alertmanager and Node are the real programs from Debian's packages; database and Grafana are replaced by others.
 */
import { copyFile, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import {
  dockerRootFolder,
  ensureDatabaseTemplate,
  ensureGateway,
  GATEWAY_PROGRAM,
  mustRun,
  rootFolder,
  type StepOptions,
} from '@fit/stack';
import { checkName, requireNamespaces } from './isolatedDocker.ts';

export const REPOSITORY = resolve(import.meta.dirname, '../../../..');

/** What stand-in images are made of, as folders of this machine. */
export interface StandInSources {
  /** The work folder of the check. */
  readonly folder: string;
  /** The name of the check's cgroups. */
  readonly cgroup: string;
  /** Docker and its clients. */
  readonly dockerRoot: string;
  /** RabbitMQ, PostgreSQL with DocumentDB, Prometheus, Alertmanager. */
  readonly serverRoot: string;
  readonly gateway: string;
  readonly databaseTemplate: string;
  /** npm's cache with every package that the Dockerfile installs. */
  readonly npmCache: string;
}

/**
 * Fetches the sources while there is a network: the namespaces of the check have none.
 * @throws CannotRun or StackError if this machine cannot run the check.
 */
export async function prepareStandIns(folder: string, step: StepOptions): Promise<StandInSources> {
  await requireNamespaces();
  step.onProgress?.('preparing what the stand-in images are made of');
  const serverRoot = await rootFolder(step);
  return {
    folder,
    cgroup: checkName(process.pid),
    dockerRoot: await dockerRootFolder(step),
    serverRoot,
    gateway: await ensureGateway(step),
    databaseTemplate: await ensureDatabaseTemplate(serverRoot, step),
    npmCache: await fillNpmCache(folder, step),
  };
}

/** Installs the packages that the Dockerfile installs, so that npm's cache contains them. */
async function fillNpmCache(folder: string, step: StepOptions): Promise<string> {
  const [project, cache] = [join(folder, 'npm-project'), join(folder, 'npm-cache')];
  const dockerfile = await readFile(join(REPOSITORY, 'Dockerfile'), 'utf8');
  const manifests = [...dockerfile.matchAll(/^COPY --chmod=0644 ((?:[\w/-]+\/)?package\.json)/gm)];
  for (const path of [...manifests.map(([, found = '']) => found), 'package-lock.json']) {
    await mkdir(dirname(join(project, path)), { recursive: true });
    await copyFile(join(REPOSITORY, path), join(project, path));
  }
  const options = { ...step, cwd: project, title: 'packages of the images' };
  await mustRun(['npm', 'pkg', 'delete', 'devDependencies'], options);
  const install = ['npm', 'ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund'];
  await mustRun([...install, '--cache', cache], options);
  return cache;
}

const BASE = 'fit-compose-check/base';

/** Printed after a check with stand-ins: what it has not proved. */
export const UNPROVED: readonly string[] = [
  'MongoDB: PostgreSQL with DocumentDB behind FerretDB replaces it; not proved are the start of mongod, its users, mongosh, its memory',
  'Grafana: a server that answers the health check replaces it; proved is that the mounted files can be read, not that Grafana shows them',
  "RabbitMQ, Prometheus, Alertmanager, Node are Debian's or npm's programs of the same minor versions; not proved are the entry points of the official images",
];

/** Half the size of the servers' root folder, and needed by no server. */
const EXCLUDED = [
  'usr/share/doc',
  'usr/share/man',
  'usr/share/locale',
  'usr/lib/llvm*',
  'var/cache',
];

/** The users that the official images have. */
const USERS = ['rabbitmq:x:999:999::/var/lib/rabbitmq:/bin/sh', 'fit:x:10001:10001::/app:/bin/sh'];

interface StandIn {
  /** Name of the image in docker-compose.yml or the Dockerfile, without its tag. */
  readonly name: string;
  readonly dockerfile: string;
  /** Texts of further files of the build folder, by name. */
  readonly files?: Readonly<Record<string, string>>;
}

const RABBITMQ: StandIn = {
  name: 'rabbitmq',
  dockerfile: `FROM ${BASE}
ENV HOME=/var/lib/rabbitmq RABBITMQ_MNESIA_BASE=/var/lib/rabbitmq/mnesia RABBITMQ_LOG_BASE=/var/log/rabbitmq LANG=C.UTF-8
ENV PATH=/usr/lib/rabbitmq/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
RUN rm -rf /var/lib/rabbitmq /var/log/rabbitmq && mkdir -p /var/lib/rabbitmq /var/log/rabbitmq /etc/rabbitmq/conf.d && chown 999:999 /var/lib/rabbitmq /var/log/rabbitmq
CMD ["rabbitmq-server"]
`,
};

/** Keeps its data in the same volume as the real image, and requires the same user and password. */
const MONGO: StandIn = {
  name: 'mongo',
  dockerfile: `FROM ${BASE}
ENV LANG=C.UTF-8 PATH=/usr/local/bin:/usr/lib/postgresql/18/bin:/usr/sbin:/usr/bin:/sbin:/bin
COPY --chown=999:999 data /data/db
RUN chmod 0700 /data/db && mkdir /data/configdb && chown 999:999 /data/configdb
COPY --chmod=0755 ${GATEWAY_PROGRAM} mongosh start /usr/local/bin/
ENTRYPOINT ["start"]
`,
  files: {
    // Called by the health check as `mongosh --quiet mongodb://mongo:27017/admin --eval …`.
    mongosh: '#!/bin/sh\nexec nc -w 2 mongo 27017 < /dev/null\n',
    start: `#!/bin/sh
set -eu
umask 077
rm -f /data/db/postmaster.pid
common='-c unix_socket_directories=/tmp -c listen_addresses= -c shared_preload_libraries=pg_cron,pg_documentdb_core,pg_documentdb'
postgres -D /data/db $common -c cron.database_name=postgres -c cron.host=/tmp -c cron.log_run=off -c cron.log_statement=off -c documentdb.localhost_connection_string=host=/tmp &
database=$!
trap 'kill -TERM $gateway 2>/dev/null; kill -INT $database; wait $database; exit 0' TERM INT
gateway=
while ! pg_isready -q -h /tmp -U fit -d postgres; do
  kill -0 $database
  sleep 0.2
done
# The cron jobs of the template connect to the socket of the native stack. The role fit exists and is a superuser.
psql -q -v ON_ERROR_STOP=1 -h /tmp -U fit -d postgres <<SQL
update cron.job set nodename = '/tmp';
alter role $MONGO_INITDB_ROOT_USERNAME password '$MONGO_INITDB_ROOT_PASSWORD';
SQL
${GATEWAY_PROGRAM} 0.0.0.0:27017 'postgres://fit@/postgres?host=/tmp&port=5432' /data/configdb &
gateway=$!
# When one of the two ends, the container ends, and Docker starts it again.
while kill -0 $database && kill -0 $gateway; do sleep 1 & wait $!; done
exit 1
`,
  },
};

const PROMETHEUS: StandIn = {
  name: 'prom/prometheus',
  dockerfile: `FROM ${BASE}
RUN mkdir -p /prometheus && chown 65534:65534 /prometheus && rm -rf /etc/prometheus
ENTRYPOINT ["/usr/bin/prometheus"]
`,
};

const ALERTMANAGER: StandIn = {
  name: 'prom/alertmanager',
  dockerfile: `FROM ${BASE}
RUN mkdir -p /alertmanager && chown 65534:65534 /alertmanager
ENTRYPOINT ["/usr/bin/prometheus-alertmanager"]
`,
};

const GRAFANA: StandIn = {
  name: 'grafana/grafana',
  dockerfile: `FROM ${BASE}
RUN mkdir -p /var/lib/grafana /srv/api && chown 472:0 /var/lib/grafana && echo '{"database":"ok"}' > /srv/api/health
COPY --chmod=0755 start /usr/local/bin/
ENTRYPOINT ["start"]
`,
  files: {
    start: `#!/bin/sh
set -eu
for folder in datasources dashboards plugins alerting; do ls "/etc/grafana/provisioning/$folder" > /dev/null; done
cat /etc/grafana/provisioning/*/*.yml "$GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH" > /dev/null
touch /var/lib/grafana/grafana.db
exec httpd -f -p 3000 -h /srv
`,
  },
};

const NODE: StandIn = {
  name: 'node',
  dockerfile: `FROM ${BASE}
COPY --chmod=0755 node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
COPY npm-cache /npm-cache
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
ENV NPM_CONFIG_CACHE=/npm-cache NPM_CONFIG_OFFLINE=true
CMD ["node"]
`,
};

const STAND_INS = [RABBITMQ, MONGO, PROMETHEUS, ALERTMANAGER, GRAFANA, NODE];

/**
 * Builds all stand-ins with the daemon of `docker`.
 * @throws Error for an image without a stand-in; StackError `COMMAND_FAILED` with the end of the build's output.
 */
export async function buildStandIns(
  sources: StandInSources,
  report: (line: string) => void,
): Promise<void> {
  await importBase(sources, report);
  for (const reference of await imageReferences()) {
    const standIn = STAND_INS.find(
      ({ name }) => name === reference.slice(0, reference.indexOf(':')),
    );
    if (standIn === undefined)
      throw new Error(`there is no stand-in for the image ${reference}: add one to STAND_INS`);
    const folder = join(sources.folder, 'images', basename(standIn.name));
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'Dockerfile'), standIn.dockerfile);
    for (const [name, text] of Object.entries(standIn.files ?? {}))
      await writeFile(join(folder, name), text);
    if (standIn === MONGO) await addDatabase(folder, sources);
    if (standIn === NODE) await addNode(folder, sources);
    await mustRun(['docker', 'build', '--quiet', '--tag', reference, folder], {
      cwd: folder,
      title: `stand-in for ${reference}`,
      onProgress: report,
    });
    report(`stand-in image ${reference}: built`);
  }
}

/** @returns every image that would be pulled: the servers' and the base images of the Dockerfile. */
async function imageReferences(): Promise<ReadonlySet<string>> {
  const compose = await readFile(join(REPOSITORY, 'docker-compose.yml'), 'utf8');
  const dockerfile = await readFile(join(REPOSITORY, 'Dockerfile'), 'utf8');
  const servers = [...compose.matchAll(/^ {4}image: ([^\s$]+)$/gm)];
  const bases = [...dockerfile.matchAll(/^FROM (\S+:\S+)/gm)];
  return new Set([...servers, ...bases].map(([, reference = '']) => reference));
}

/** Makes the layer that all stand-ins share: the servers' root folder, with busybox for tools of the official images. */
async function importBase(sources: StandInSources, report: (line: string) => void): Promise<void> {
  const exclusions = EXCLUDED.map((path) => `--exclude='./${path}'`).join(' ');
  const tar = `tar -C "$1" ${exclusions} --exclude='./proc/*' --exclude='./dev/*' -c .`;
  await mustRun(
    ['sh', '-c', `${tar} | docker import - ${BASE}:root`, 'import', sources.serverRoot],
    {
      cwd: sources.folder,
      title: 'base image of the stand-ins',
      onProgress: report,
    },
  );
  const folder = join(sources.folder, 'images', 'base');
  await mkdir(folder, { recursive: true });
  await cp(join(sources.dockerRoot, 'usr/bin/busybox'), join(folder, 'busybox'));
  const applets = ['wget', 'nc', 'hostname', 'httpd', 'ps'];
  const text = `FROM ${BASE}:root
COPY --chmod=0755 busybox /usr/local/bin/busybox
RUN for applet in ${applets.join(' ')}; do ln -s busybox /usr/local/bin/$applet; done
RUN printf '%s\\n' ${USERS.map((user) => `'${user}'`).join(' ')} >> /etc/passwd && chmod 1777 /tmp
`;
  await writeFile(join(folder, 'Dockerfile'), text);
  await mustRun(['docker', 'build', '--quiet', '--tag', BASE, folder], { cwd: folder });
}

async function addDatabase(folder: string, sources: StandInSources): Promise<void> {
  const data = join(sources.databaseTemplate, 'postgresql/data');
  await mustRun(['cp', '-a', data, join(folder, 'data')]);
  await cp(join(sources.gateway, GATEWAY_PROGRAM), join(folder, GATEWAY_PROGRAM));
}

/** Adds the pinned Node and the npm of this machine. */
async function addNode(folder: string, sources: StandInSources): Promise<void> {
  await cp(process.execPath, join(folder, 'node'));
  const { stdout } = await mustRun(['sh', '-c', 'readlink -f "$(command -v npm)"']);
  const npm = dirname(dirname(stdout.trim()));
  await mustRun(['cp', '-aL', npm, join(folder, 'npm')]);
  await mustRun(['cp', '-a', sources.npmCache, join(folder, 'npm-cache')]);
}
