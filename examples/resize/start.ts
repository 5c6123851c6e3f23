import { openJobs } from '@fit/jobs';
import * as z from 'zod';

const jobs = await openJobs({
  database: process.env['MONGODB_URL'] ?? 'mongodb://127.0.0.1:27017/shop',
  connection: process.env['AMQP_URL'] ?? 'amqp://127.0.0.1',
  kinds: { resize: { payload: z.object({ file: z.string() }), retry: { delays: ['5s', '1m'] } } },
});
await jobs.work('resize', ({ payload }) => {
  console.log(`resizing ${payload.file}`);
});
const { id } = await jobs.enqueue('resize', { file: 'cat.png' }, { key: 'cat.png' });
console.log(id, (await jobs.get(id))?.state);
process.once('SIGTERM', () => void jobs.close({ deadline: '20s' }));
