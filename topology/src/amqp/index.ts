/** The only part that speaks AMQP: publish with confirms, consume with care, come back after a loss. */
export { Consumer, type ConsumerOptions } from './consumer.ts';
export {
  type DeadLetterPublisher,
  type DeadLetterPublishResult,
  type OutgoingDeadLetter,
  openDeadLetterPublisher,
} from './deadLetterPublisher.ts';
export {
  type DeadLetterReader,
  DeadLetterReaderLost,
  type DeadLetterReaderOptions,
  openDeadLetterReader,
} from './deadLetterReader.ts';
export type { Delivery } from './delivery.ts';
export type { DeadLetterDelivery, DeadLetterProperties } from './heldDeadLetter.ts';
export { Inspector, type QueueDepth } from './inspector.ts';
export {
  openSession,
  type Session,
  type SessionEvent,
  type SessionOptions,
  vhostOf,
} from './openSession.ts';
export { type OpenTopologyAdmin, openTopologyAdmin } from './openTopologyAdmin.ts';
export {
  type OutgoingMessage,
  type PublishEnd,
  Publisher,
  type PublisherOptions,
  type PublishResult,
} from './publisher.ts';
export type { Depth, TopologyAdmin } from './topologyAdmin.ts';
