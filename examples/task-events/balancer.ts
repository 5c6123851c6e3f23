/**
 * The load balancer of the native start: requests go to the instances in turn, and to the next one if an instance does not
 * listen. The compose file has nginx in its place.
 */
import { Agent, type IncomingMessage, request as send } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { createApp, runService } from './service.ts';

const instances = (process.env['INSTANCES'] ?? '').split(',').filter((each) => each !== '');
const agent = new Agent({ keepAlive: true });
let next = 0;

async function forward(origin: string, incoming: IncomingMessage, body: Buffer) {
  return await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = send(new URL(incoming.url ?? '/', origin), {
      method: incoming.method ?? 'GET',
      headers: { ...incoming.headers, connection: 'keep-alive' },
      agent,
    });
    outgoing.once('response', resolve).once('error', reject);
    outgoing.end(body);
  });
}

const { app } = createApp();
app.use(async (context) => {
  const body = await buffer(context.req);
  const first = next;
  next = (next + 1) % instances.length;
  for (const origin of [...instances.slice(first), ...instances.slice(0, first)]) {
    try {
      const answer = await forward(origin, context.req, body);
      context.status = answer.statusCode ?? 502;
      for (const [name, value] of Object.entries(answer.headers))
        if (
          value !== undefined &&
          !['connection', 'keep-alive', 'transfer-encoding'].includes(name)
        )
          context.set(name, value);
      context.body = context.status === 204 ? null : await buffer(answer);
      return;
    } catch (error) {
      // Only what was surely not sent goes to another instance: a request must not be done twice.
      if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') break;
    }
  }
  context.status = 502;
  context.body = { reason: 'no instance answers' };
});

await runService('balancer', { app, close: () => Promise.resolve('no request is open') });
