/** Goal: no container has more rights than it needs. Method: each rule on each service of docker-compose.yml. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COMPOSE_SOURCE, SERVICES } from '../support/composeFile.ts';

/** Processes may need this long to stop; an earlier kill would cost an attempt. */
const DRAIN_SECONDS = 30;

for (const [name, service] of SERVICES)
  test(`${name} is confined`, () => {
    const [uid = ''] = (service.user ?? '').split(':');
    assert.match(uid, /^[1-9]\d*$/, 'a fixed uid, not root');
    assert.equal(service.read_only, true);
    assert.equal(service.init, true);
    assert.deepEqual(service.cap_drop, ['ALL']);
    assert.equal(service.cap_add, undefined);
    assert.deepEqual(service.security_opt, ['no-new-privileges:true']);
    assert.equal(service.privileged, undefined);
    assert.equal(service.network_mode, undefined);
    assert.match(service.mem_limit ?? '', /^\d+[mg]$/);
    assert.ok((service.cpus ?? 0) > 0);
    assert.ok((service.pids_limit ?? 0) > 0);
    assert.ok(service.logging?.options['max-size'], 'a log that rotates');
    assert.ok(Number.parseInt(service.stop_grace_period ?? '0', 10) > DRAIN_SECONDS);
    assert.doesNotMatch((service.volumes ?? []).join(), /docker\.sock/);
  });

for (const [name, service] of SERVICES)
  test(`${name} has a health check, and waits for healthy services only`, () => {
    assert.ok((service.healthcheck?.test.length ?? 0) > 1);
    for (const key of ['interval', 'timeout', 'retries'] as const)
      assert.ok(service.healthcheck?.[key] !== undefined, key);
    for (const [needed, { condition }] of Object.entries(service.depends_on ?? {})) {
      assert.ok(SERVICES.has(needed), needed);
      assert.equal(condition, 'service_healthy');
    }
  });

for (const [name, service] of SERVICES)
  test(`${name} mounts configuration read-only`, () => {
    for (const volume of service.volumes ?? [])
      if (volume.startsWith('.')) assert.match(volume, /:ro$/, volume);
  });

test('a secret has no default, and a missing one stops compose with a reason', () => {
  const secrets = COMPOSE_SOURCE.matchAll(/\$\{(\w*(?:TOKEN|PASSWORD|PASS|SECRET)\w*)(:?[^}]*)\}/g);
  const found = [...secrets];
  assert.ok(found.length >= 6);
  for (const [, name, suffix] of found) assert.match(suffix ?? '', /^:\?.+/, name);
  assert.doesNotMatch(COMPOSE_SOURCE, /guest:|password: \w/i);
});
