/** Plain JavaScript whose JSDoc is checked by the compiler (`checkJs`). It needs no broker, and prints how its messages ended. */
import { defineTopology, reject } from '@fit/topology';
import { simulate } from '@fit/topology/testing';
import { z } from 'zod';

class NoSuchAddress extends Error {}

const mail = defineTopology({
  exchange: 'mail',
  messages: { send: z.object({ to: z.string() }) },
  queues: { outbox: { on: ['send'], retry: { delays: ['5s', '30s', '2m'] } } },
});

/**
 * @param {{ body: { to: string }, attempt: import('@fit/topology').AttemptInfo }} message
 * @returns {import('@fit/topology').Outcome<never> | undefined}
 */
function send({ body, attempt }) {
  if (body.to === 'nobody') return reject(new NoSuchAddress(body.to));
  if (attempt.number < 3) throw new Error('busy');
  return undefined;
}

const simulation = simulate(mail, { handlers: { outbox: { handler: send } } });
const { id } = await simulation.publish('send', { to: 'ann' });
await simulation.publish('send', { to: 'nobody' });
// @ts-expect-error a message of another name.
await simulation.publish('sent', { to: 'ann' }).catch(() => undefined);
await simulation.advance('35s');
console.log(simulation.history(id).at(-1)?.what, simulation.deadLetters('outbox').length);
