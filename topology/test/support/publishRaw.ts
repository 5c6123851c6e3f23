/** Puts messages on the wire that no client library would make: any header table, byte by byte. */
import { connect } from 'amqplib';

export interface RawMessage {
  readonly exchange: string;
  readonly key: string;
  readonly body: Buffer;
  /** An encoded field table, without its length. */
  readonly table: Buffer;
  readonly messageId?: string;
}

interface RawChannel {
  readonly ch: number;
  readonly connection: {
    readonly channels: { readonly buffer: { write(bytes: Buffer): void } }[];
    sendMethod(channel: number, method: number, fields: object): void;
    sendContent(channel: number, body: Buffer): void;
  };
  pushConfirmCallback(onConfirm: (error: unknown) => void): void;
}

const BASIC_PUBLISH = (60 << 16) | 40;
const HEADERS_FLAG = 1 << 13;
const MESSAGE_ID_FLAG = 1 << 7;

/** Resolves when the broker has it. */
export async function publishRaw(url: string, message: RawMessage): Promise<void> {
  const model = await connect(url);
  const confirmed = await model.createConfirmChannel();
  const channel = confirmed as unknown as RawChannel;
  const { exchange, key: routingKey, body } = message;
  const answer = new Promise<void>((resolve, reject) => {
    confirmed.on('error', reject);
    channel.pushConfirmCallback((error) => {
      if (error) reject(new Error('nacked', { cause: error }));
      else resolve();
    });
  });
  channel.connection.sendMethod(channel.ch, BASIC_PUBLISH, {
    exchange,
    routingKey,
    ticket: 0,
    mandatory: false,
    immediate: false,
  });
  channel.connection.channels[channel.ch]?.buffer.write(headerFrame(channel.ch, message));
  channel.connection.sendContent(channel.ch, body);
  await answer;
  await model.close();
}

/** A table of that many small headers: `h0: 1, h1: 1, ...`. */
export function manyHeaders(count: number): Buffer {
  return Buffer.concat(
    Array.from({ length: count }, (_, index) =>
      Buffer.concat([shortText(`h${index}`), Buffer.from([0x62, 1])]),
    ),
  );
}

/** One header whose value is an array in an array in an array. */
export function nestedHeader(depth: number): Buffer {
  const levels = Array.from({ length: depth }, (_, index) => {
    const level = Buffer.alloc(5);
    level.write('A');
    level.writeUInt32BE((depth - index - 1) * 5, 1);
    return level;
  });
  return Buffer.concat([shortText('nested'), ...levels]);
}

function headerFrame(channel: number, { body, table, messageId }: RawMessage): Buffer {
  const head = Buffer.alloc(14);
  head.writeUInt16BE(60, 0);
  head.writeBigUInt64BE(BigInt(body.length), 4);
  head.writeUInt16BE(HEADERS_FLAG | (messageId === undefined ? 0 : MESSAGE_ID_FLAG), 12);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(table.length);
  const id = messageId === undefined ? Buffer.alloc(0) : shortText(messageId);
  const payload = Buffer.concat([head, length, table, id]);
  const frame = Buffer.alloc(7);
  frame.writeUInt8(2, 0);
  frame.writeUInt16BE(channel, 1);
  frame.writeUInt32BE(payload.length, 3);
  return Buffer.concat([frame, payload, Buffer.from([0xce])]);
}

function shortText(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}
