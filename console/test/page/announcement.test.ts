/** Goal: each change of the state is announced once, and a stale state is not announced as current. Method: calls without I/O. */
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

const textOf = (status: Status) => announcement(status, 'live').text;
const ALL_WELL = 'Everyone is served: 20 of 20 served. Nothing fires.';

test('a fresh and good state is announced as such', () => {
  assert.equal(textOf(statusOf()), ALL_WELL);
});

test('a source that does not answer is announced as unknown', () => {
  assert.equal(
    textOf(statusOf({ today: { freshness: stale } })),
    'Today is not known; last known: Everyone is served: 20 of 20 served. Nothing fires.',
  );
  assert.match(textOf(statusOf({ alerts: { freshness: stale } })), /Alerts unknown\.$/);
  assert.match(textOf(statusOf({ alerts: { isEvaluated: false } })), /Alerts are not evaluated\.$/);
  assert.equal(
    textOf(statusOf({ queues: { freshness: stale } })),
    `${ALL_WELL} Queues unknown: the broker does not answer.`,
  );
});

test('every change of verdict, freshness, alerts or scope is a new state; a change of a number is not', () => {
  const running = (served: number) => statusOf({ today: { verdict: 'running', served } });
  const states = [
    statusOf(),
    running(3),
    statusOf({ today: { run: { isForEveryone: false } } }),
    statusOf({ today: { freshness: stale } }),
    statusOf({ alerts: { freshness: stale } }),
    statusOf({ alerts: { isEvaluated: false } }),
    statusOf({ alerts: { firing: [{ name: 'QueueNearFull' }] } }),
    statusOf({ queues: { freshness: stale } }),
  ].map((status) => announcement(status, 'live').state);
  assert.equal(new Set(states).size, states.length);
  assert.equal(announcement(running(3), 'live').state, announcement(running(4), 'live').state);
});

test('a lost connection is one state, whatever status was the last', () => {
  const lost = announcement(statusOf(), 'lost');
  assert.equal(lost.text, 'Connection lost. What is shown is the last known.');
  assert.deepEqual(announcement(undefined, 'lost'), lost);
  assert.notEqual(announcement(statusOf(), 'live').state, lost.state);
  assert.equal(announcement(statusOf(), 'off').text, '');
});
