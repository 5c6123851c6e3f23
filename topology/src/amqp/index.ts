/** The only folder that speaks AMQP: sessions, publishers, consumers, dead letters, changes of a topology. */
export { type BrokerConnection, CONNECTION_LIMITS, vhostOf } from './connection.ts';
export { Consumer, type ConsumerOptions, readRefused } from './consumer.ts';
export {
  type DeadLetterPublisher,
  type DeadLetterPublishResult,
  type OutgoingDeadLetter,
  openDeadLetterPublisher,
} from './deadLetterPublisher.ts';
export {
  type DeadLetterDelivery,
  type DeadLetterProperties,
  type DeadLetterReader,
  DeadLetterReaderLost,
  type DeadLetterReaderOptions,
  openDeadLetterReader,
} from './deadLetterReader.ts';
export type { Delivery } from './delivery.ts';
export { Inspector, type InspectorOptions, type QueueDepth } from './inspector.ts';
export { NoteReader, type NoteReaderOptions, type NotesReading, readNotes } from './noteReader.ts';
export {
  type Attachment,
  openSession,
  type Session,
  type SessionEvent,
  type SessionOptions,
  type Setup,
} from './openSession.ts';
export {
  type OutgoingMessage,
  type PublishEnd,
  Publisher,
  type PublisherOptions,
  type PublishResult,
  type ReturnReply,
  type WatchedPublish,
} from './publisher.ts';
export { type OpenTopologyAdmin, openTopologyAdmin, type TopologyAdmin } from './topologyAdmin.ts';
