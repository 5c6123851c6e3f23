/** Goal: one template for compose and the native stack, which scrapes what the rules need. Method: parse it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import {
  brokerTarget,
  COMPOSE_TARGETS,
  JOB_NAMES,
  nativeTargets,
  renderScrapeConfig,
} from '../../src/index.ts';

interface Job {
  job_name: string;
  metrics_path?: string;
  params?: { vhost: string[]; family: string[] };
  static_configs?: { targets: string[] }[];
  dns_sd_configs?: { names: string[]; port: number; type: string }[];
}

const PORTS = {
  brokerMetrics: 1,
  monolithMetrics: 2,
  coachMetrics: 3,
  prometheus: 4,
  alertmanager: 5,
};

function jobsOf(text: string): Map<string, Job> {
  const { scrape_configs: jobs } = parse(text) as { scrape_configs: Job[] };
  return new Map(jobs.map((job) => [job.job_name, job]));
}

test('every job that the alerts name is scraped, and no other', () => {
  const jobs = jobsOf(renderScrapeConfig({ targets: COMPOSE_TARGETS }));
  assert.deepEqual([...jobs.keys()], [...JOB_NAMES]);
});

test('the broker is scraped for both families of one virtual host, and never per object', () => {
  const jobs = jobsOf(renderScrapeConfig({ targets: COMPOSE_TARGETS, vhost: 'test' }));
  assert.equal(jobs.get('rabbitmq')?.metrics_path, undefined);
  const queues = jobs.get('rabbitmq-queues');
  assert.equal(queues?.metrics_path, '/metrics/detailed');
  assert.deepEqual(queues.params, {
    vhost: ['test'],
    family: ['queue_coarse_metrics', 'queue_metrics'],
  });
});

test('under compose all coaches behind the DNS name are scraped, and a stopped cron is no target', () => {
  const jobs = jobsOf(renderScrapeConfig({ targets: COMPOSE_TARGETS }));
  for (const [name, port] of [['coach', 12112] as const, ['cron', 12115] as const]) {
    assert.deepEqual(jobs.get(name)?.dns_sd_configs, [
      { names: [name], type: 'A', port, refresh_interval: '10s' },
    ]);
    assert.equal(jobs.get(name)?.static_configs, undefined);
  }
});

test('Prometheus logs in at an Alertmanager with a password, to send alerts and to scrape', () => {
  const alertmanagerLogin = { username: 'fit', passwordFile: '/stack/password' };
  const text = renderScrapeConfig({ targets: COMPOSE_TARGETS, alertmanagerLogin });
  const expected = { username: 'fit', password_file: '/stack/password' };
  const { alerting } = parse(text) as { alerting: { alertmanagers: object[] } };
  assert.deepEqual(alerting.alertmanagers, [
    { basic_auth: expected, static_configs: [{ targets: ['alertmanager:9093'] }] },
  ]);
  const jobs = [...jobsOf(text).values()].filter((job) => 'basic_auth' in job);
  assert.deepEqual(
    jobs.map(({ job_name: name, ...job }) => [name, job]),
    [
      [
        'alertmanager',
        { basic_auth: expected, static_configs: [{ targets: ['alertmanager:9093'] }] },
      ],
    ],
  );
  assert.doesNotMatch(renderScrapeConfig({ targets: COMPOSE_TARGETS }), /basic_auth/);
});

test('a broker given by its URL is scraped on its own host', () => {
  const addresses = (url: string, port?: number) => {
    const targets = { ...nativeTargets(PORTS), broker: brokerTarget(url, port) };
    const jobs = jobsOf(renderScrapeConfig({ targets, vhost: 'fit' }));
    assert.deepEqual(jobs.get('rabbitmq-queues')?.params?.vhost, ['fit']);
    return jobs.get('rabbitmq')?.static_configs;
  };
  assert.deepEqual(addresses('amqps://a:b@rabbit.example/fit'), [
    { targets: ['rabbit.example:15692'] },
  ]);
  assert.deepEqual(addresses('amqp://[::1]:5673/fit', 7), [{ targets: ['[::1]:7'] }]);
});

test('natively all targets are on loopback, further coaches included', () => {
  const jobs = jobsOf(renderScrapeConfig({ targets: nativeTargets(PORTS, [33, 34]) }));
  assert.deepEqual(jobs.get('coach')?.static_configs, [
    { targets: ['127.0.0.1:3', '127.0.0.1:33', '127.0.0.1:34'] },
  ]);
  assert.deepEqual(jobs.get('rabbitmq-queues')?.static_configs, [{ targets: ['127.0.0.1:1'] }]);
});
