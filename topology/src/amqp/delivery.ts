/** A message that was delivered and is not settled yet, and the ways to settle it. */

/** One delivery of one message. It can be settled once; further calls, and calls after its channel was lost, do nothing. */
export interface Delivery {
  /** As published. */
  readonly body: Buffer;
  /** As published; undefined if the publisher set none. */
  readonly messageId: string | undefined;
  /** AMQP `type` as published: the name of the message; undefined if the publisher set none. */
  readonly type: string | undefined;
  /** Routing key of the last publish or dead-lettering. */
  readonly routingKey: string;
  /** Exchange that the message came through last. */
  readonly exchange: string;
  /** Headers as delivered, but without delivery counts that a client and not the broker wrote. */
  readonly headers: Readonly<Record<string, unknown>>;
  /** Why headers and properties are missing; undefined if they could be read. */
  readonly unreadableReason: string | undefined;
  /** True if the broker delivered the message before. */
  readonly isRedelivered: boolean;
  /** Milliseconds since 1970 by this machine's clock at arrival. */
  readonly receivedAtMs: number;
  /** Timestamp property in seconds since 1970; undefined if the publisher set none. */
  readonly publishedAtSeconds: number | undefined;
  /** AMQP priority as published, 0 to 255; undefined if the publisher set none. */
  readonly priority: number | undefined;
  /** False once its channel is lost: the broker then delivers the message again. */
  readonly isCurrent: boolean;
  /** True once a method below was called to settle it, by its handler's outcome or by a stop that gave the message back. */
  readonly isSettled: boolean;
  /**
   * basic.ack: the broker deletes the message. A `Consumer` sends the ack at the end of this turn of the event loop,
   * together with others.
   */
  ack(): void;
  /**
   * basic.nack without requeue: the broker sends the message through the dead-letter exchange of its queue, to the next
   * tier or to the dead-letter queue. The name avoids "reject", which is an outcome that leads to a publish and an ack.
   */
  nackToDeadLetterExchange(): void;
  /**
   * basic.reject with requeue, only for queues with native retry: the broker counts a failed attempt and delays the
   * message. basic.nack would not count it.
   */
  rejectForNativeRetry(): void;
  /** basic.nack with requeue: the broker delivers the message again at once. */
  requeue(): void;
  /** Frees body and headers, for a caller that holds many deliveries. The delivery can still be settled. */
  discardContent(): void;
}
