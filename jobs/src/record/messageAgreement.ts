/** Compares a message without a valid signature with the record of the job that it names, because any publisher can write any content. Pure. */
import { encodeJob, type JobMessage } from './jobMessage.ts';
import type { JobRecord } from './jobRecord.ts';

/** The fields of a record that a message is compared with, and the run that counts the end of the job. */
export type ComparedFields = Pick<JobRecord, '_id' | 'kind' | 'generation' | 'payload' | 'runId'>;

/** A message that does not agree with the record of the job that it names. */
export class ForgedMessage extends Error {
  override readonly name = 'ForgedMessage';
}

/**
 * Compares a message with its record. A message of an older generation agrees, because it is a late copy, and the guards of
 * every write ignore it.
 * @param record the record of the job that the message names; undefined where there is none.
 * @returns what differs; undefined where the message agrees.
 */
export function disagreementOf(
  { id, kind, generation, payload }: JobMessage,
  record: Omit<ComparedFields, 'runId'> | undefined,
): string | undefined {
  if (record === undefined) return 'forged: there is no job of this id';
  if (record._id !== id) return 'forged: its body names another job';
  if (record.kind !== kind) return 'forged: its kind is not that of the job';
  if (generation > record.generation)
    return `forged: generation ${generation}, and the job has only ${record.generation}`;
  // The relay makes the message from the record, so both have their fields in the same order.
  return JSON.stringify(record.payload) === JSON.stringify(payload)
    ? undefined
    : 'forged: its payload is not that of the job';
}

/**
 * Compares a body that this release cannot decode: such a body may come from another release.
 * @returns whether it equals, byte for byte, the message that the relay makes from the record.
 */
export function isBodyOf(record: JobRecord, body: Buffer): boolean {
  return encodeJob(record).equals(body);
}
