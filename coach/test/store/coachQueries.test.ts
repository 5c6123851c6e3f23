/** Goal and method as in `jobs/test/store/jobQueries.test.ts`, for the coach's store. */
import { test } from 'node:test';
import type { WodDocument } from '@fit/contract';
import { checkStatements, watchStatements } from '../../../jobs/test/support/queryPlans.ts';
import { testStore } from '../../../jobs/test/support/testStore.ts';
import { WodStore } from '../../src/store/wodStore.ts';

test('every statement on workouts is in docs/queries.md and reads by an index', async (t) => {
  const { opened: store, statements } = await watchStatements(() => testStore(t));
  const wods = new WodStore(store.database);
  await store
    .raw('wods')
    .insertMany(Array.from({ length: 5_000 }, (_, index) => ({ _id: `user-${index}:2026-01-01` })));
  statements.length = 0;
  await wods.storeAll([{ _id: 'new' } as WodDocument]);
  await wods.findStored([{ id: 'job', userId: 'user-1', date: '2026-01-01' }]);
  await wods.find('nobody', '2026-01-01');
  await checkStatements(store.db, statements, { collections: ['wods'], isComplete: false });
});
