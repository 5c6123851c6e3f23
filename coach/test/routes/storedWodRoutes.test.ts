/** Goal: a request without a date asks for today in the time zone of the daily run. Method: the route in two zones that never have the same day. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storedWodRoutes } from '../../src/routes/storedWodRoutes.ts';

async function askedDay(timezone: string): Promise<string> {
  let asked = '';
  const [route] = storedWodRoutes(
    {
      find: (_, date) => {
        asked = date;
        return Promise.resolve(undefined);
      },
    },
    timezone,
  );
  const input = {
    params: { userId: 'ann' },
    query: {},
    body: undefined,
    headers: {},
    keyHash: undefined,
    caller: undefined,
    address: '127.0.0.1',
    isStillAllowed: () => Promise.resolve(true),
  };
  await assert.rejects(async () => route?.handle(input), /No workout is stored for ann/);
  return asked;
}

test('a request without a date asks for today in the time zone of the daily run', async () => {
  // 25 hours apart.
  const [east = '', west = ''] = await Promise.all(
    ['Pacific/Kiritimati', 'Pacific/Niue'].map(askedDay),
  );
  assert.ok(east > west, `${east} is not after ${west}`);
});
