/** Keeps a connection alive through a header table that cannot be decoded. */
import type { ChannelModel } from 'amqplib';

/** What amqplib's connection is to this file; none of it is typed there. */
interface FrameReader {
  rest: Buffer;
  recvFrame: () => unknown;
}

const FRAME_HEADER = 2;
/** The class of basic.*, which is also how amqplib names a header frame. */
const BASIC_CLASS = 60;
const FRAME_OVERHEAD_BYTES = 7;

/**
 * amqplib decodes headers by recursion. A table nested some thousand levels deep, 15 kB of it, overflows the stack, and
 * that ends the connection: the letter goes back to its place and breaks the next reader as well. With this, such a
 * letter arrives with its body, with no properties, and with `unreadableReason` in their place.
 */
export function tolerateHeaders(model: ChannelModel): void {
  const reader = model.connection as unknown as Partial<FrameReader>;
  const { recvFrame } = reader;
  // An amqplib that reads in another way ends the connection as before; who reads must be able to come back anyway.
  if (typeof recvFrame !== 'function' || !Buffer.isBuffer(reader.rest)) return;
  reader.recvFrame = function (this: FrameReader) {
    const bytes = this.rest;
    try {
      return recvFrame.call(this);
    } catch (error) {
      // Not advanced: it was no frame at all, and nothing after it can be trusted.
      if (this.rest === bytes || bytes[0] !== FRAME_HEADER) throw error;
      return blankHeader(bytes, error);
    }
  };
}

function blankHeader(bytes: Buffer, error: unknown): object {
  return {
    id: BASIC_CLASS,
    channel: bytes.readUInt16BE(1),
    size: Number(bytes.readBigUInt64BE(FRAME_OVERHEAD_BYTES + 4)),
    fields: {
      headers: {},
      unreadableReason: error instanceof Error ? error.message : String(error),
    },
  };
}
