/**
 * Goal: compose and the native stack have the same ports, versions and addresses. Method: docker-compose.yml against the ports of the
 * stack, the versions of its programs, the generated targets and the variables of the processes.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { PROFILES } from '@fit/contract';
import { amtool, DEFAULT_PORTS, promtool, rootFolder, type StackPorts } from '@fit/stack';
import { COMPOSE_TARGETS, type Target } from '../../src/index.ts';
import { COMPOSE_SOURCE, REPOSITORY, SERVICES, service } from '../support/composeFile.ts';

/** Alertmanager has no port on the host: without a password any web page in a browser there could silence alerts. */
const UNPUBLISHED = 'alertmanager';

const CONTAINER_PORTS: Readonly<Record<keyof StackPorts, readonly [string, number]>> = {
  monolith: ['monolith', 12100],
  coach: ['coach', 12101],
  amqp: ['rabbitmq', 5672],
  management: ['rabbitmq', 15672],
  mongodb: ['mongo', 27017],
  prometheus: ['prometheus', 9090],
  alertmanager: ['alertmanager', 9093],
  grafana: ['grafana', 3000],
  brokerMetrics: ['rabbitmq', 15692],
  monolithMetrics: ['monolith', 12111],
  coachMetrics: ['coach', 12112],
  cronMetrics: ['cron', 12115],
};

interface Published {
  readonly address: string;
  readonly first: number;
  readonly last: number;
  readonly target: number;
}

function published(text: string): Published {
  const match = /^(?:(.+):)?(\d+)(?:-(\d+))?:(\d+)$/.exec(text);
  assert.ok(match, `port ${text}`);
  const [, address = '0.0.0.0', first = '', last = first, target] = match;
  return { address, first: Number(first), last: Number(last), target: Number(target) };
}

const ALL = [...SERVICES].flatMap(([name, { ports }]) =>
  (ports ?? []).map((text) => ({ name, ...published(text) })),
);

test('every port of the native stack but Alertmanager’s is published by the same number, and no other port', () => {
  const names = Object.keys(CONTAINER_PORTS) as (keyof StackPorts)[];
  const wanted = names
    .filter((name) => name !== UNPUBLISHED)
    .map((name) => [...CONTAINER_PORTS[name], DEFAULT_PORTS[name]].join(' '))
    .sort();
  const found = ALL.map(({ name, target, first }) => `${name} ${target} ${first}`).sort();
  assert.deepEqual(found, wanted);
});

test('only loopback is published', () => {
  for (const { name, address } of ALL) assert.equal(address, '127.0.0.1', name);
});

test('no two services use the same port of the host, also in a range', () => {
  const claimed = ALL.flatMap(({ first, last }) =>
    Array.from({ length: last - first + 1 }, (_, index) => first + index),
  );
  assert.equal(new Set(claimed).size, claimed.length, claimed.join());
});

test('the first coach has fixed ports; further coaches have none, and the same DNS name', () => {
  const { networks, deploy, pull_policy, ...more } = service('more-coaches');
  const { ports, build, ...coach } = service('coach');
  assert.deepEqual(more, coach);
  assert.deepEqual(deploy, { replicas: 0 });
  assert.deepEqual(networks, { default: { aliases: ['coach'] } });
  // Built twice it would be two images, and the next `up` would recreate one of the coaches.
  assert.ok(build !== undefined);
  assert.equal(pull_policy, 'never');
  // Docker assigns a range of ports in another order each time that a container is recreated.
  for (const text of ports ?? []) assert.doesNotMatch(text, /-\d+:\d+$/);
  assert.doesNotMatch(COMPOSE_SOURCE, /FIT_PORT_\w+:-\d+-\d+/);
});

test('Alertmanager finds its secrets where its configuration is mounted', () => {
  const mount = service('alertmanager').volumes?.find((one) => one.includes('/generated/'));
  assert.equal(mount?.split(':')[1], COMPOSE_TARGETS.alertmanagerFolder);
});

test('Prometheus scrapes services by names and ports that exist', () => {
  const { alertmanagerFolder, ...targets } = COMPOSE_TARGETS;
  for (const target of Object.values<Target>({ ...targets })) {
    const addresses = 'dnsName' in target ? [`${target.dnsName}:${target.port}`] : target.addresses;
    for (const address of addresses) {
      const known = Object.values(CONTAINER_PORTS).map((words) => words.join(':'));
      assert.ok(known.includes(address), address);
    }
  }
});

test('broker, Prometheus and Alertmanager have the native minor version, the database is MongoDB 8.0', async () => {
  const folders = readdirSync(join(await rootFolder(), 'usr/lib/rabbitmq/lib'));
  const broker = /^rabbitmq_server-(\d+\.\d+)/m.exec(folders.join('\n'))?.[1];
  const prometheus = await promtool(['--version'], { cwd: REPOSITORY });
  const alertmanager = await amtool(['--version'], { cwd: REPOSITORY });
  const version = /version (\d+\.\d+)/;
  assert.equal(service('rabbitmq').image, `rabbitmq:${broker}-management`);
  assert.equal(service('mongo').image, 'mongo:8.0');
  const image = (name: string): string => service(name).image ?? '';
  assert.match(image('prometheus'), new RegExp(`:v${version.exec(prometheus.output)?.[1]}\\.`));
  assert.match(image('alertmanager'), new RegExp(`:v${version.exec(alertmanager.output)?.[1]}\\.`));
});

test('every image is pinned to a minor version at least', () => {
  for (const [name, { image = '' }] of SERVICES)
    if (!image.startsWith('fit-')) assert.match(image, /:v?\d+\.\d+/, name);
});

test('folders are mounted and not files, and a change of their files recreates the container', () => {
  for (const [name, { volumes = [], labels }] of SERVICES) {
    const mounted = volumes.filter((volume) => volume.startsWith('.'));
    for (const volume of mounted) {
      const path = join(REPOSITORY, volume.slice(0, volume.indexOf(':')));
      assert.ok(statSync(path).isDirectory(), volume);
    }
    assert.equal(labels !== undefined, mounted.length > 0, name);
  }
  assert.match(COMPOSE_SOURCE, /fit\.files: \$\{FIT_FILES_BROKER:-unknown\}/);
  assert.match(COMPOSE_SOURCE, /fit\.files: \$\{FIT_FILES_MONITORING:-unknown\}/);
});

test('Grafana finds each provisioning folder', () => {
  for (const name of ['datasources', 'dashboards', 'plugins', 'alerting'])
    assert.ok(existsSync(join(REPOSITORY, 'prometheus/grafana/provisioning', name)), name);
});

for (const [secret, names] of [
  ['FIT_BOOTSTRAP_SECRET', ['monolith']],
  ['FIT_CRON_SECRET', ['monolith', 'cron']],
] as const)
  test(`${secret} is given to ${names.join(' and ')} alone`, () => {
    const holders = [...SERVICES].filter(([, { environment = {} }]) => secret in environment);
    assert.deepEqual(
      holders.map(([name]) => name),
      names,
    );
  });

test('each process listens on its published ports and has the addresses of its servers', () => {
  for (const name of ['monolith', 'coach'] as const) {
    const { environment = {}, build } = service(name);
    assert.equal(build?.target, name);
    assert.equal(environment['HOST'], '0.0.0.0');
    const targets = ALL.filter((known) => known.name === name).map(({ target }) => `${target}`);
    assert.deepEqual(targets, [environment['PORT'], environment['METRICS_PORT']]);
    assert.match(environment['AMQP_URL'] ?? '', /@rabbitmq:5672$/, 'a slash would be the vhost ""');
    assert.match(environment['AMQP_MANAGEMENT_URL'] ?? '', /@rabbitmq:15672$/);
    assert.match(environment['MONGODB_URL'] ?? '', /@mongo:27017\/fit\?authSource=admin$/);
  }
  const { environment: cron = {} } = service('cron');
  assert.equal(cron['FIT_URL'], 'http://monolith:12100');
  assert.deepEqual([cron['HOST'], cron['METRICS_PORT']], ['0.0.0.0', '12115']);
});

/** Variables of the native stack, or that compose sets in another way. */
const NOT_PASSED_ON = /^(FIT_STACK_|FIT_(BOOTSTRAP|CRON)_SECRET_FILE$)/;
/** Variables of the generator of the mounted files; no process reads them. */
const OF_THE_GENERATOR = /^(ALERT_|FIT_CONSOLE_URL$|FIT_RUNBOOK_BASE$)/;

test('every documented setting reaches its process, or the head of the file says where it belongs', () => {
  const rows = readFileSync(join(REPOSITORY, 'docs/configuration.md'), 'utf8');
  const names = [...rows.matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([A-Z_]+)`/g)].map(([, name = '']) => name),
  );
  assert.ok(names.length > 30, names.join());
  const [head = ''] = COMPOSE_SOURCE.split('\nname: ');
  // The prefix is enough for the variables of the receivers.
  for (const name of names)
    if (OF_THE_GENERATOR.test(name))
      assert.ok(head.includes(name.replace(/^ALERT_.*/, 'ALERT_*')), name);
    else assert.ok(NOT_PASSED_ON.test(name) || COMPOSE_SOURCE.includes(name), name);
  for (const step of ['npm run rules -- .stack/monitoring', 'FIT_MONITORING=./.stack/monitoring'])
    assert.ok(head.includes(step), step);
});

test('every mounted file exists, for either profile', () => {
  const sources = [...SERVICES.values()]
    .flatMap(({ volumes }) => volumes ?? [])
    .flatMap((volume) => (volume.startsWith('.') ? [volume.slice(0, volume.indexOf(':'))] : []));
  const others = sources.flatMap((path) =>
    PROFILES.map((profile) => path.replace('generated/default', `generated/${profile}`)),
  );
  assert.ok(others.length > 6);
  for (const path of others) assert.ok(existsSync(join(REPOSITORY, path)), path);
});
