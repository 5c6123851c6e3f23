import { connect } from 'amqp-connection-manager';
import type { ConfirmChannel, ConsumeMessage } from 'amqplib';
import { type Mail, mail, NoSuchAddress, send } from './work.ts';

const WAITS_MS = [100, 500, 2_500];
const safe = {
  'x-queue-type': 'quorum',
  'x-dead-letter-strategy': 'at-least-once',
  'x-overflow': 'reject-publish',
  'x-dead-letter-exchange': '',
};

const connection = connect([process.env['AMQP_URL'] ?? 'amqp://127.0.0.1']);
connection.on('connectFailed', ({ err }) => {
  console.error(err);
});
const running = new Set<Promise<void>>();
let stopConsuming = () => Promise.resolve<unknown>(undefined);
const wrapper = connection.createChannel({
  setup: async (channel: ConfirmChannel) => {
    await channel.assertExchange('mail', 'direct');
    await channel.assertQueue('outbox.dead', { arguments: { 'x-queue-type': 'quorum' } });
    for (const waitMs of WAITS_MS)
      await channel.assertQueue(`outbox.wait.${waitMs}`, {
        arguments: {
          ...safe,
          'x-message-ttl': waitMs,
          'x-dead-letter-routing-key': 'outbox',
        },
      });
    await channel.assertQueue('outbox', {
      arguments: {
        ...safe,
        'x-delivery-limit': 5,
        'x-dead-letter-routing-key': 'outbox.dead',
      },
    });
    await channel.bindQueue('outbox', 'mail', 'mail.send');
    await channel.prefetch(10);
    const { consumerTag } = await channel.consume('outbox', (message) => {
      if (message === null) return;
      const run = handle(channel, message).catch((error: unknown) => {
        console.error(error);
      });
      running.add(run);
      void run.finally(() => running.delete(run));
    });
    stopConsuming = () => channel.cancel(consumerTag);
  },
});
wrapper.on('error', (error) => {
  console.error(error);
});

async function handle(channel: ConfirmChannel, message: ConsumeMessage): Promise<void> {
  const failures = Number(message.properties.headers?.['failures'] ?? 0);
  const body = parse(message.content);
  if (body === undefined) {
    channel.nack(message, false, false);
    return;
  }
  try {
    await send(body, failures + 1);
  } catch (error) {
    const waitMs = WAITS_MS[failures];
    if (error instanceof NoSuchAddress || waitMs === undefined) {
      channel.nack(message, false, false);
      return;
    }
    await wrapper.sendToQueue(`outbox.wait.${waitMs}`, message.content, {
      persistent: true,
      messageId: String(message.properties.messageId),
      headers: { failures: failures + 1, error: String(error) },
    });
  }
  channel.ack(message);
}

function parse(content: Buffer): Mail | undefined {
  try {
    return mail.parse(JSON.parse(content.toString()));
  } catch {
    return undefined;
  }
}

process.once('SIGTERM', () => {
  void (async () => {
    await stopConsuming();
    await Promise.all(running);
    await wrapper.close();
    await connection.close();
  })();
});
