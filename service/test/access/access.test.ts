/** Goal: a route is open to those whom it names, and to nobody else. Method: calls without I/O. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineRoute, isAllowed, ownerLimit, READERS, ROLES } from '@fit/service';
import Type from 'typebox';

test('a role is allowed where the route names it', () => {
  for (const role of ROLES)
    for (const named of ROLES)
      assert.equal(isAllowed([named], { role, userId: undefined }, {}), role === named);
  for (const role of ROLES) assert.equal(isAllowed([], { role, userId: undefined }, {}), false);
});

test('self is the member whose user the path names', () => {
  const access = [...READERS, 'self'] as const;
  const ann = { role: 'member', userId: 'ann' } as const;
  for (const name of ['id', 'userId']) {
    assert.equal(isAllowed(access, ann, { [name]: 'ann' }), true);
    for (const other of ['ben', 'ANN', '', undefined, ['ann']])
      assert.equal(isAllowed(access, ann, { [name]: other }), false, String(other));
    assert.equal(isAllowed(['viewer'], ann, { [name]: 'ann' }), false);
    // Only members have a user; an account of another role with one is a defect that must not open anything.
    assert.equal(isAllowed(['self'], { role: 'service', userId: 'ann' }, { [name]: 'ann' }), false);
    assert.equal(isAllowed(['self'], { role: 'member', userId: undefined }, {}), false);
  }
  assert.equal(isAllowed(access, ann, { jobId: 'ann' }), false);
});

test('own lets in every member with a user, and restricts them to what they own', () => {
  const access = [...READERS, 'own'] as const;
  const ann = { role: 'member', userId: 'ann' } as const;
  assert.equal(isAllowed(access, ann, { jobId: 'of ben' }), true);
  assert.equal(ownerLimit(ann), 'ann');
  assert.equal(isAllowed(['viewer'], ann, {}), false);
  const nobody = { role: 'member', userId: undefined } as const;
  assert.equal(isAllowed(access, nobody, {}), false);
  assert.throws(() => ownerLimit(nobody), /may call this route/);
  assert.throws(() => ownerLimit(undefined), /may call this route/);
  // An account of another role with a user is a defect that must not open anything.
  assert.equal(isAllowed(['own'], { role: 'service', userId: 'ann' }, {}), false);
  assert.equal(ownerLimit({ role: 'viewer', userId: undefined }), undefined);
});

test('a route with self must name a user in each of its paths', () => {
  const define = (paths: readonly string[]) =>
    defineRoute({
      method: 'get',
      paths,
      access: ['self'],
      summary: 'A route of this test',
      tag: 'Test',
      reply: Type.Null(),
      handle: () => Promise.resolve({ body: null }),
    });
  define(['/users/:id', '/wods/:userId']);
  assert.throws(() => define(['/users/:id', '/me']), /names a user/);
  assert.throws(() => define(['/jobs/:jobId']), /names a user/);
});
