/** Makes the three frames of a publish (basic.publish, properties, body) in one pass, and those of many messages in one buffer. */

/** What is encoded, by the names of amqplib. */
export interface PublishFields {
  readonly exchange: string;
  readonly routingKey: string;
  readonly mandatory: boolean;
  readonly contentType: string;
  readonly headers: Readonly<Record<string, unknown>>;
  /** 2: persistent. */
  readonly deliveryMode: number;
  readonly priority: number | undefined;
  readonly messageId: string;
  readonly type: string | undefined;
  /** Seconds since 1970. */
  readonly timestamp: number;
}

/** Numbers of AMQP 0-9-1: types of frames, the byte that ends one, the class `basic` and its method `publish`. */
const METHOD_FRAME = 1;
const HEADER_FRAME = 2;
const BODY_FRAME = 3;
const FRAME_END = 0xce;
const BASIC_CLASS = 60;
const BASIC_PUBLISH = 40;
/** Flags of the properties. Every message has content-type, headers, delivery-mode, message-id and timestamp. */
const COMMON_FLAGS = 0xb0c0;
const PRIORITY_FLAG = 0x0800;
const TYPE_FLAG = 0x0020;
const TEXT_TAG = 'S'.charCodeAt(0);
const SHORT_TEXT_LIMIT_BYTES = 255;
const TWO_32 = 0x1_0000_0000;

const CHUNK_BYTES = 65_536;
/** More than everything whose length does not depend on the message. */
const FIXED_BYTES = 128;
/** The lengths of a header's name and text, and its tag. */
const BYTES_PER_HEADER = 6;
const BYTES_PER_CHAR = 3;
/** A shorter text is written byte by byte, which takes less time than a call of the runtime. */
const LONG_TEXT_CHARS = 100;

/** Collects the frames of messages until they are taken. */
export class PublishEncoder {
  #buffer = Buffer.alloc(0);
  /** Where the frames begin that were not taken yet, and where they end. */
  #from = 0;
  #at = 0;

  get isEmpty(): boolean {
    return this.#at === this.#from;
  }

  /** @returns the frames that were added since they were taken last. */
  take(): Buffer {
    const frames = this.#buffer.subarray(this.#from, this.#at);
    this.#from = this.#at;
    return frames;
  }

  /**
   * Adds the frames of a message.
   * @returns `added`; `full`: the other frames must be taken first; `foreign`: it is too large, or has a header that is no
   * text. Only with `added` anything was added.
   * @throws TypeError, and adds nothing, for a text that is longer than AMQP allows.
   */
  add(channel: number, fields: PublishFields, body: Buffer): 'added' | 'full' | 'foreign' {
    const neededBytes = longestBytes(fields, body);
    if (!(neededBytes <= CHUNK_BYTES)) return 'foreign';
    if (this.#at + neededBytes > this.#buffer.byteLength) {
      if (!this.isEmpty) return 'full';
      this.#buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
      this.#from = 0;
      this.#at = 0;
    }
    const beganAt = this.#at;
    try {
      this.#addMethod(channel, fields);
      this.#addProperties(channel, fields, body.byteLength);
      if (body.byteLength > 0) this.#addBody(channel, body);
      return 'added';
    } catch (error) {
      this.#at = beganAt;
      throw error;
    }
  }

  #addMethod(channel: number, { exchange, routingKey, mandatory }: PublishFields): void {
    const sizeAt = this.#beginFrame(METHOD_FRAME, channel);
    this.#uint16(BASIC_CLASS);
    this.#uint16(BASIC_PUBLISH);
    // A field that is reserved.
    this.#uint16(0);
    this.#shortText(exchange);
    this.#shortText(routingKey);
    this.#uint8(mandatory ? 1 : 0);
    this.#endFrame(sizeAt);
  }

  #addProperties(channel: number, fields: PublishFields, bodyBytes: number): void {
    const { contentType, headers, deliveryMode, priority, messageId, timestamp, type } = fields;
    const sizeAt = this.#beginFrame(HEADER_FRAME, channel);
    this.#uint16(BASIC_CLASS);
    // A field that is not used.
    this.#uint16(0);
    this.#uint64(bodyBytes);
    this.#uint16(
      COMMON_FLAGS |
        (priority === undefined ? 0 : PRIORITY_FLAG) |
        (type === undefined ? 0 : TYPE_FLAG),
    );
    this.#shortText(contentType);
    const tableAt = this.#beginSize();
    for (const name in headers) {
      this.#shortText(name);
      this.#uint8(TEXT_TAG);
      const valueAt = this.#beginSize();
      this.#text(headers[name] as string);
      this.#endSize(valueAt);
    }
    this.#endSize(tableAt);
    this.#uint8(deliveryMode);
    if (priority !== undefined) this.#uint8(priority);
    this.#shortText(messageId);
    this.#uint64(timestamp);
    if (type !== undefined) this.#shortText(type);
    this.#endFrame(sizeAt);
  }

  #addBody(channel: number, body: Buffer): void {
    const sizeAt = this.#beginFrame(BODY_FRAME, channel);
    body.copy(this.#buffer, this.#at);
    this.#at += body.byteLength;
    this.#endFrame(sizeAt);
  }

  /** @returns where the size of the frame is written once it is known. */
  #beginFrame(type: number, channel: number): number {
    this.#uint8(type);
    this.#uint16(channel);
    return this.#beginSize();
  }

  #endFrame(sizeAt: number): void {
    this.#endSize(sizeAt);
    this.#uint8(FRAME_END);
  }

  #beginSize(): number {
    this.#at += 4;
    return this.#at - 4;
  }

  #endSize(sizeAt: number): void {
    const endAt = this.#at;
    this.#at = sizeAt;
    this.#uint32(endAt - sizeAt - 4);
    this.#at = endAt;
  }

  #shortText(text: string): void {
    const lengthAt = this.#at;
    this.#at += 1;
    this.#text(text);
    const length = this.#at - lengthAt - 1;
    if (length > SHORT_TEXT_LIMIT_BYTES)
      throw new TypeError(`'${text}' has more than ${SHORT_TEXT_LIMIT_BYTES} bytes`);
    this.#buffer[lengthAt] = length;
  }

  #text(text: string): void {
    const buffer = this.#buffer;
    let at = this.#at;
    let index = 0;
    if (text.length < LONG_TEXT_CHARS)
      for (; index < text.length; index += 1) {
        const code = text.charCodeAt(index);
        if (code > 0x7f) break;
        buffer[at] = code;
        at += 1;
      }
    if (index < text.length) at = this.#at + buffer.write(text, this.#at, 'utf8');
    this.#at = at;
  }

  #uint8(value: number): void {
    this.#buffer[this.#at] = value;
    this.#at += 1;
  }

  #uint16(value: number): void {
    this.#uint8(value >>> 8);
    this.#uint8(value);
  }

  #uint32(value: number): void {
    this.#uint16(value >>> 16);
    this.#uint16(value);
  }

  #uint64(value: number): void {
    this.#uint32(Math.floor(value / TWO_32));
    this.#uint32(value % TWO_32);
  }
}

/** @returns at least as many bytes as the frames take; Infinity where a header is no text. */
function longestBytes(fields: PublishFields, body: Buffer): number {
  const { exchange, routingKey, contentType, messageId, type = '', headers } = fields;
  let chars =
    exchange.length + routingKey.length + contentType.length + messageId.length + type.length;
  let headerCount = 0;
  for (const name in headers) {
    const value = headers[name];
    if (typeof value !== 'string') return Infinity;
    headerCount += 1;
    chars += name.length + value.length;
  }
  return FIXED_BYTES + headerCount * BYTES_PER_HEADER + chars * BYTES_PER_CHAR + body.byteLength;
}
