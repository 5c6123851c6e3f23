/** Keeps a connection open when a message's header table cannot be decoded. */
import type { ChannelModel } from 'amqplib';

/** The untyped part of amqplib's connection that this file replaces. */
interface FrameReader {
  rest: Buffer;
  recvFrame: () => unknown;
}

const FRAME_HEADER = 2;
/** AMQP class of basic.*; amqplib uses the number as the id of a header frame. */
const BASIC_CLASS = 60;
const FRAME_OVERHEAD_BYTES = 7;

/**
 * amqplib decodes headers by recursion. A table that is nested some thousand levels deep, 15 kB, overflows the stack, which
 * ends the connection: the message is requeued and ends the next consumer's connection as well. With this function the
 * message arrives with its body, without properties, and with `unreadableReason` in their place.
 */
export function tolerateHeaders(model: ChannelModel): void {
  const reader = model.connection as unknown as Partial<FrameReader>;
  const { recvFrame } = reader;
  // Another version of amqplib may read in another way; then the connection ends as before, and callers recover from that.
  if (typeof recvFrame !== 'function' || !Buffer.isBuffer(reader.rest)) return;
  reader.recvFrame = function (this: FrameReader) {
    const bytes = this.rest;
    try {
      return recvFrame.call(this);
    } catch (error) {
      // The reader did not advance: this was no frame, so nothing after it can be trusted.
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
