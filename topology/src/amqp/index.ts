/** The only part that speaks AMQP: assert a plan, publish with confirms, consume with care, come back after a loss. */
export { type AssertOptions, assertTopology, vhostOf } from './assertTopology.ts';
export { Consumer, type ConsumerOptions } from './consumer.ts';
export type { Delivery } from './delivery.ts';
export type { HeldLetter, LetterProperties } from './heldLetter.ts';
export { Inspector, type QueueDepth } from './inspector.ts';
export {
  type LetterPost,
  type OutgoingLetter,
  openLetterPost,
  type Posted,
} from './letterPost.ts';
export { type OpenHand, openHand } from './openHand.ts';

export {
  type LetterBox,
  LetterBoxLost,
  type LetterBoxOptions,
  openLetterBox,
} from './openLetterBox.ts';
export {
  openSession,
  type Session,
  type SessionEvent,
  type SessionOptions,
} from './openSession.ts';
export {
  type OutgoingMessage,
  type PublishEnd,
  Publisher,
  type PublisherOptions,
  type PublishResult,
} from './publisher.ts';
export { type KeeperOptions, TopologyKeeper } from './topologyKeeper.ts';
