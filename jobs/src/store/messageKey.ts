/** The key that signs messages. It is in the database, because every process that may sign or check can read that. */
import { MessageSigner, newMessageKey } from '../record/messageSignature.ts';
import type { StoreDatabase } from './connectStore.ts';

interface KeyDocument {
  readonly _id: string;
  readonly key: string;
}

const KEY_ID = 'messages';

/** Reads the key, and makes it where it does not exist. Safe in several processes at once. @throws StoreUnavailable, StatementRefused */
export async function loadMessageSigner(database: StoreDatabase): Promise<MessageSigner> {
  const keys = database.collection<KeyDocument>('keys');
  const stored = await keys.upsert(KEY_ID, { $setOnInsert: { key: newMessageKey() } });
  if (stored === undefined) throw new Error('the key of messages could not be stored');
  return new MessageSigner(stored.key);
}
