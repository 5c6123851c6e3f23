/**
 * Stand-ins for the images that docker-compose.yml and the Dockerfile name, under the same names. Broker, Prometheus,
 * Alertmanager and Node are the real programs of Debian's packages; the database and Grafana are not the real ones.
 */
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { GATEWAY_PROGRAM, mustRun } from '@fit/stack';
import { REPOSITORY, type StandInSources } from './standInSources.ts';

const BASE = 'fit-compose-check/base';

/** What the check's log says of them. */
export const UNPROVED: readonly string[] = [
  "MongoDB: stands in PostgreSQL with DocumentDB behind FerretDB; not proved are mongod's own start, its users, mongosh, its memory",
  'Grafana: a server that answers the health check stands in; proved is that its mounts can be read, not that it shows them',
  "RabbitMQ, Prometheus, Alertmanager, Node are Debian's or npm's programs of the same minor versions, not the official images: not proved are the entry points of those images",
];

/** Not needed by any server, and half the size of the folder. */
const LEFT_OUT = [
  'usr/share/doc',
  'usr/share/man',
  'usr/share/locale',
  'usr/lib/llvm*',
  'var/cache',
];

/** As the official images have them. */
const USERS = ['rabbitmq:x:999:999::/var/lib/rabbitmq:/bin/sh', 'fit:x:10001:10001::/app:/bin/sh'];

interface StandIn {
  /** How docker-compose.yml or the Dockerfile names the image, without its tag. */
  readonly name: string;
  readonly dockerfile: string;
  /** Files of the build's folder, with their texts. */
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

/** Its data are in the volume that the real image has, and the same user and password are asked for. */
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
    // mongosh --quiet mongodb://mongo:27017/admin --eval …
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
# The jobs of the template connect to the socket of the native stack. The role fit exists, as a superuser.
psql -q -v ON_ERROR_STOP=1 -h /tmp -U fit -d postgres <<SQL
update cron.job set nodename = '/tmp';
alter role $MONGO_INITDB_ROOT_USERNAME password '$MONGO_INITDB_ROOT_PASSWORD';
SQL
${GATEWAY_PROGRAM} 0.0.0.0:27017 'postgres://fit@/postgres?host=/tmp&port=5432' /data/configdb &
gateway=$!
# Whichever ends first ends the container, which is started again.
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
 * Builds all stand-ins in the daemon that `docker` asks.
 * @throws Error for an image that has none; StackError `COMMAND_FAILED` with the end of the build's output.
 */
export async function buildStandIns(
  sources: StandInSources,
  say: (line: string) => void,
): Promise<void> {
  await importBase(sources, say);
  for (const reference of await imageReferences()) {
    const standIn = STAND_INS.find(
      ({ name }) => name === reference.slice(0, reference.indexOf(':')),
    );
    if (standIn === undefined) throw new Error(`no stand-in is known for the image ${reference}`);
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
      onProgress: say,
    });
    say(`stand-in image ${reference}: built`);
  }
}

/** @returns every image that is pulled: of the servers, and of the Dockerfile. */
async function imageReferences(): Promise<ReadonlySet<string>> {
  const compose = await readFile(join(REPOSITORY, 'docker-compose.yml'), 'utf8');
  const dockerfile = await readFile(join(REPOSITORY, 'Dockerfile'), 'utf8');
  const servers = [...compose.matchAll(/^ {4}image: ([^\s$]+)$/gm)];
  const bases = [...dockerfile.matchAll(/^FROM (\S+:\S+)/gm)];
  return new Set([...servers, ...bases].map(([, reference = '']) => reference));
}

/** One layer that all share: the servers' root folder, with busybox for what the official images have of it. */
async function importBase(sources: StandInSources, say: (line: string) => void): Promise<void> {
  const leftOut = LEFT_OUT.map((path) => `--exclude='./${path}'`).join(' ');
  const tar = `tar -C "$1" ${leftOut} --exclude='./proc/*' --exclude='./dev/*' -c .`;
  await mustRun(
    ['sh', '-c', `${tar} | docker import - ${BASE}:root`, 'import', sources.serverRoot],
    {
      cwd: sources.folder,
      title: 'stand-ins: their base image',
      onProgress: say,
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

/** The pinned Node, and the npm of this machine. */
async function addNode(folder: string, sources: StandInSources): Promise<void> {
  await cp(process.execPath, join(folder, 'node'));
  const { stdout } = await mustRun(['sh', '-c', 'readlink -f "$(command -v npm)"']);
  const npm = dirname(dirname(stdout.trim()));
  await mustRun(['cp', '-aL', npm, join(folder, 'npm')]);
  await mustRun(['cp', '-a', sources.npmCache, join(folder, 'npm-cache')]);
}
