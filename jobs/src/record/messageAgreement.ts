/** Whether what a message says of a job is so: its record decides, since anyone who may publish can write anything. Pure. */
import { encodeJob, type JobMessage } from './jobMessage.ts';
import type { JobRecord } from './jobRecord.ts';

/** The fields of a record that a message is compared with. */
export type ComparedFields = Pick<JobRecord, '_id' | 'kind' | 'generation' | 'payload'>;

/** A message that does not agree with the record of the job that it names. */
export class ForgedMessage extends Error {
  override readonly name = 'ForgedMessage';
}

/**
 * A message of an older generation agrees: it is a late copy, and the guards of every write ignore it.
 * @param record of the job that the message names; undefined where there is none.
 * @returns what differs; undefined where the message agrees.
 */
export function disagreementOf(
  { id, kind, generation, payload }: JobMessage,
  record: ComparedFields | undefined,
): string | undefined {
  if (record === undefined) return 'forged: there is no job of this id';
  if (record._id !== id) return 'forged: its body names another job';
  if (record.kind !== kind) return 'forged: its kind is not that of the job';
  if (generation > record.generation)
    return `forged: generation ${generation}, and the job has only ${record.generation}`;
  // The record was written before the message, and the message was made of it: the fields have one order.
  return JSON.stringify(record.payload) === JSON.stringify(payload)
    ? undefined
    : 'forged: its payload is not that of the job';
}

/**
 * A body that cannot be decoded agrees where it equals, byte for byte, the message that the relay makes from the record: then
 * another release wrote the record.
 */
export function isBodyOf(record: JobRecord, body: Buffer): boolean {
  return encodeJob(record).equals(body);
}
