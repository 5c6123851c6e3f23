/** amqplib keeps what the broker said of itself at the handshake, but does not type it. */
import type { ChannelModel } from 'amqplib';

/** @returns such as '4.3.6'. */
export function brokerVersion(model: ChannelModel): string {
  const { serverProperties } = model.connection as unknown as {
    serverProperties: { version?: string };
  };
  return serverProperties.version ?? '0.0.0';
}
