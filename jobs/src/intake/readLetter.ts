/** A dead letter, read without trusting it: what it claims to be, and why it lies here. */
import { createHash } from 'node:crypto';
import { type Declaration, deathCause, type KindDeclaration } from '@fit/topology';
import type { Delivery } from '@fit/topology/amqp';
import { fingerprint } from '../record/fingerprint.ts';
import type { Death } from '../record/jobRecord.ts';
import type { Letter } from '../store/letterStore.ts';

export interface ReadLetter extends Letter {
  readonly kind: KindDeclaration;
  /** The job that it may belong to; the record decides. */
  readonly jobId: string | undefined;
  readonly generation: number;
  readonly death: Death;
}

const HEADERS_LIMIT_CHARS = 16_384;

export function readLetter(
  delivery: Delivery,
  kind: Declaration['kinds'][number],
  now: Date,
): ReadLetter {
  const { headers, messageId, routingKey, body } = delivery;
  const cause = deathCause(kind, routingKey, headers);
  const reason = typeof headers['death-message'] === 'string' ? headers['death-message'] : cause;
  const errorClass = typeof headers['death-class'] === 'string' ? headers['death-class'] : cause;
  const generation = headers['generation'];
  return {
    kind,
    jobId: messageId,
    generation: typeof generation === 'number' ? generation : generationIn(body),
    death: { cause, reason, fingerprint: fingerprint(errorClass, reason), at: now },
    ...{ cause, reason, messageId, routingKey, body },
    id: createHash('sha256')
      .update(`${messageId ?? ''}\n${cause}\n${reason}\n`)
      .update(body)
      .digest('hex'),
    headers: stringify(headers),
  };
}

/** A parked copy carries our headers only, so its generation stands in the body, if that can be read. */
function generationIn(body: Buffer): number {
  try {
    const value = JSON.parse(body.toString('utf8')) as { generation?: unknown } | null;
    return typeof value?.generation === 'number' ? value.generation : 0;
  } catch {
    return 0;
  }
}

/** Kept for the eye, as text; a table nested too deep to print is named instead. */
function stringify(headers: object): string {
  try {
    return JSON.stringify(headers).slice(0, HEADERS_LIMIT_CHARS);
  } catch (error) {
    return `unprintable: ${String(error)}`;
  }
}
