/** Goal: a screen reader hears each change of state, once, and never old news as new. Method: the pure function. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { announcement } from '../../src/page/announcement.js';

type Status = NonNullable<Parameters<typeof announcement>[0]>;

const fresh = { isStale: false };
const stale = { isStale: true };
const run = { isForEveryone: true };

function statusOf(parts: { today?: object; alerts?: object; queues?: object } = {}): Status {
  const today = { freshness: fresh, verdict: 'served', served: 20, total: 20, run };
  const alerts = { freshness: fresh, isEvaluated: true, firing: [] };
  return {
    today: { ...today, ...parts.today },
    alerts: { ...alerts, ...parts.alerts },
    queues: { freshness: fresh, ...parts.queues },
  } as unknown as Status;
}

const told = (status: Status) => announcement(status, 'live').text;
const well = 'Everyone is served: 20 of 20 served. Nothing fires.';

test('all well is told where all is known', () => {
  assert.equal(told(statusOf()), well);
});

test('of what does not answer it is told that it is not known', () => {
  assert.equal(
    told(statusOf({ today: { freshness: stale } })),
    'Today is not known; last known: Everyone is served: 20 of 20 served. Nothing fires.',
  );
  assert.match(told(statusOf({ alerts: { freshness: stale } })), /Alerts unknown\.$/);
  assert.match(told(statusOf({ alerts: { isEvaluated: false } })), /Alerts are not evaluated\.$/);
  assert.equal(
    told(statusOf({ queues: { freshness: stale } })),
    `${well} Queues unknown: the broker does not answer.`,
  );
});

test('each such change is another state, a number is none', () => {
  const running = (served: number) => statusOf({ today: { verdict: 'running', served } });
  const states = [
    ...[statusOf(), running(3), statusOf({ today: { run: { isForEveryone: false } } })],
    statusOf({ today: { freshness: stale } }),
    statusOf({ alerts: { freshness: stale } }),
    statusOf({ alerts: { isEvaluated: false } }),
    statusOf({ alerts: { firing: [{ name: 'QueueNearFull' }] } }),
    statusOf({ queues: { freshness: stale } }),
  ].map((status) => announcement(status, 'live').state);
  assert.equal(new Set(states).size, states.length);
  assert.equal(announcement(running(3), 'live').state, announcement(running(4), 'live').state);
});

test('a lost connection is told once, whatever is counted meanwhile, and is no good news', () => {
  const lost = announcement(statusOf(), 'lost');
  assert.equal(lost.text, 'Connection lost. What is shown is the last known.');
  assert.deepEqual(announcement(undefined, 'lost'), lost);
  assert.notEqual(announcement(statusOf(), 'live').state, lost.state);
  assert.equal(announcement(statusOf(), 'off').text, '');
});
