/**
 * A proxy between a worker and the broker that stops the worker's frames at one moment: when the first frame that gives a
 * message on (a published copy, or a nack or reject) has reached the broker, and before any later frame does. So every
 * library is killed between the copy and the acknowledgement, wherever its code is then.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** Methods of AMQP 0.9.1 as class and method number. */
const CONFIRM_SELECT = '85.10';
const PUBLISH = '60.40';
const CONFIRMED: readonly string[] = ['60.80', '60.120'];
const REFUSED: readonly string[] = ['60.90', '60.120'];
const PROTOCOL_HEADER_BYTES = 8;
const FRAME_HEADER_BYTES = 7;
const FRAME_END_BYTES = 1;
const METHOD_FRAME = 1;
const HEADER_FRAME = 2;
const BODY_FRAME = 3;

/** What gave the message on. */
export type Handover = 'published copy' | 'nack or reject';

interface Frame {
  readonly bytes: Buffer;
  readonly type: number;
  readonly channel: number;
  /** Class and method number such as 60.40; empty for other frames. */
  readonly method: string;
}

/** Cuts a stream of bytes into frames. */
class FrameReader {
  #rest = Buffer.alloc(0);

  read(bytes: Buffer): Frame[] {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    const frames: Frame[] = [];
    for (let size = this.#nextSize(); size !== undefined; size = this.#nextSize()) {
      frames.push(frameOf(this.#rest.subarray(0, size)));
      this.#rest = this.#rest.subarray(size);
    }
    return frames;
  }

  #nextSize(): number | undefined {
    if (this.#rest.length < FRAME_HEADER_BYTES) return undefined;
    const isProtocolHeader = this.#rest.toString('latin1', 0, 4) === 'AMQP';
    const size = isProtocolHeader
      ? PROTOCOL_HEADER_BYTES
      : FRAME_HEADER_BYTES + this.#rest.readUInt32BE(3) + FRAME_END_BYTES;
    return this.#rest.length < size ? undefined : size;
  }
}

function frameOf(bytes: Buffer): Frame {
  const type = bytes.readUInt8(0);
  const isMethod = type === METHOD_FRAME;
  return {
    bytes: Buffer.from(bytes),
    type,
    channel: bytes.readUInt16BE(1),
    method: isMethod
      ? `${bytes.readUInt16BE(FRAME_HEADER_BYTES)}.${bytes.readUInt16BE(FRAME_HEADER_BYTES + 2)}`
      : '',
  };
}

/** Forwards everything until it is armed and a message is given on; then it forwards nothing more. */
export class BrokerProxy {
  readonly #server: Server;
  readonly #brokerPort: number;
  readonly #sockets = new Set<Socket>();
  #onHandover: ((handover: Handover) => void) | undefined;
  #isHeld = false;

  private constructor(brokerPort: number) {
    this.#brokerPort = brokerPort;
    this.#server = createServer((worker) => {
      this.#serve(worker);
    });
  }

  static async open(amqpUrl: string): Promise<BrokerProxy> {
    const proxy = new BrokerProxy(Number(new URL(amqpUrl).port));
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** @returns the same URL with the port of the proxy. */
  urlOf(amqpUrl: string): string {
    const url = new URL(amqpUrl);
    url.port = String((this.#server.address() as AddressInfo).port);
    return url.href;
  }

  /** Resolves when the next message was given on and the broker has it; the worker's further frames are held from then on. */
  arm(): Promise<Handover> {
    return new Promise((resolve) => {
      this.#onHandover = resolve;
    });
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(worker: Socket): void {
    const broker = connect(this.#brokerPort, '127.0.0.1');
    for (const socket of [worker, broker]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      // The end of a killed worker is part of the measurement; its other socket is closed below.
      socket.on('error', () => undefined);
      socket.on('close', () => this.#sockets.delete(socket));
    }
    const confirming = new Set<number>();
    /** The channel whose copy must be confirmed. */
    let copied: number | undefined;
    /** Bytes of the copy that are still to be sent. */
    let copyBytesLeft = 0;
    const handOver = (handover: Handover) => {
      this.#isHeld = true;
      this.#onHandover?.(handover);
      this.#onHandover = undefined;
    };
    const fromWorker = new FrameReader();
    worker.on('data', (bytes: Buffer) => {
      for (const frame of fromWorker.read(bytes)) {
        const { type, channel, method } = frame;
        const isOfCopy = channel === copied && (type === HEADER_FRAME || type === BODY_FRAME);
        if (this.#isHeld || (copied !== undefined && !isOfCopy)) continue;
        broker.write(frame.bytes);
        if (method === CONFIRM_SELECT) confirming.add(channel);
        if (this.#onHandover === undefined) continue;
        if (REFUSED.includes(method)) handOver('nack or reject');
        else if (method === PUBLISH) copied = channel;
        else if (isOfCopy) {
          copyBytesLeft =
            type === HEADER_FRAME
              ? Number(frame.bytes.readBigUInt64BE(FRAME_HEADER_BYTES + 4))
              : copyBytesLeft - (frame.bytes.length - FRAME_HEADER_BYTES - FRAME_END_BYTES);
          // Without confirms the broker still reads these bytes before the end of the connection.
          if (copyBytesLeft === 0 && !confirming.has(channel)) handOver('published copy');
        }
      }
    });
    const fromBroker = new FrameReader();
    broker.on('data', (bytes: Buffer) => {
      for (const frame of fromBroker.read(bytes)) {
        if (this.#isHeld) continue;
        if (frame.channel === copied && CONFIRMED.includes(frame.method))
          handOver('published copy');
        else worker.write(frame.bytes);
      }
    });
    worker.on('close', () => broker.end());
    broker.on('close', () => worker.destroy());
  }
}
