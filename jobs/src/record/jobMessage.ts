/** The message that carries a job: its schema, its encoding, and the decoding with every check. */
import Type, { type Static, type TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import type { JobRecord } from './jobRecord.ts';
import { type JsonBounds, jsonFault } from './jsonBounds.ts';

export const MESSAGE_VERSION = 1;
/**
 * Time of this publish in milliseconds since 1970, as text: the timestamp of AMQP has whole seconds only, and a 64-bit number
 * takes amqplib longer. Everything else of a job is in the body, because a header costs broker and clients more than a field.
 */
export const PUBLISHED_AT_HEADER = 'published-at-ms';
/** A larger body is refused before it is parsed. */
export const MESSAGE_LIMIT_BYTES = 64 * 1_024;
/** A body beyond these bounds is refused before it is checked against a schema. */
export const MESSAGE_BOUNDS: JsonBounds = { depth: 32, elements: 4_000 };
/** Limit of a reason, which may quote a path: its keys are those of the message and may be long. */
const REASON_LIMIT_CHARS = 300;

const Envelope = Type.Object(
  {
    version: Type.Integer(),
    id: Type.String({ minLength: 1, maxLength: 200 }),
    kind: Type.String({ minLength: 1, maxLength: 100 }),
    generation: Type.Integer({ minimum: 1 }),
    runId: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    createdAt: Type.Optional(Type.Integer({ minimum: 0 })),
    payload: Type.Unknown(),
  },
  { additionalProperties: false },
);
const envelopeCheck = Compile(Envelope);

export interface JobMessage<Payload = unknown> {
  readonly id: string;
  readonly kind: string;
  readonly generation: number;
  /** The run that created the job: log lines name it, and it counts the end of the job. The relay always writes it. */
  readonly runId?: string | undefined;
  /** Time when the job was first recorded, in milliseconds since 1970. End-to-end times count from it, across retries. */
  readonly createdAt?: number | undefined;
  readonly payload: Payload;
}

/** A message that a worker received. */
export interface ReceivedJob<Payload = unknown> extends JobMessage<Payload> {
  /**
   * The run that created the job; undefined where the signature of the body is absent or wrong, so that the message must be
   * compared with the record of its job.
   */
  readonly signedRunId: string | undefined;
}

/** A body that is no valid message of a job. The worker sends such a message to the dead-letter queue at its first attempt. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage';
}

export function encodeJob(job: JobRecord): Buffer {
  return Buffer.from(JSON.stringify(messageOf(job)));
}

/** @returns what the body of a job's message has. */
export function messageOf(job: JobRecord): JobMessage & { readonly version: number } {
  const { _id: id, kind, generation, runId, createdAt, payload } = job;
  return {
    version: MESSAGE_VERSION,
    id,
    kind,
    generation,
    runId,
    createdAt: createdAt.getTime(),
    payload,
  };
}

/** A compiled schema of a payload. Compiling is slow, so it is done once for each kind. */
export interface PayloadCheck<Payload> {
  accepts(value: unknown): value is Payload;
  /** @returns the first fault as 'path: reason'. */
  fault(value: unknown): string;
}

export function compilePayload<Schema extends TSchema>(
  schema: Schema,
): PayloadCheck<Static<Schema>> {
  const check = Compile(schema);
  return {
    accepts: (value): value is Static<Schema> => check.Check(value),
    fault: (value) => describe(check.Errors(value)),
  };
}

/**
 * Decodes a body. The checks run from cheap to expensive (size, JSON, bounds, envelope, version, payload), so that no message
 * costs more than a few milliseconds. A signed body was made by `encodeJob`, so it needs no check of bounds and envelope; but
 * another release may have made it, with another version or another payload.
 * @param payloadOf returns the check of a kind's payload; undefined for an unknown kind.
 * @param isSigned is asked for a body within the limit alone.
 * @throws MalformedMessage with the first fault.
 */
export function decodeJob<Payload>(
  body: Buffer,
  payloadOf: (kind: string) => PayloadCheck<Payload> | undefined,
  isSigned: () => boolean,
): ReceivedJob<Payload> {
  if (body.byteLength > MESSAGE_LIMIT_BYTES)
    throw new MalformedMessage(`${body.byteLength} bytes exceed ${MESSAGE_LIMIT_BYTES}`);
  const value = parseJson(body) as Static<typeof Envelope>;
  const isTrusted = isSigned();
  if (!isTrusted) checkEnvelope(value);
  if (value.version !== MESSAGE_VERSION)
    throw new MalformedMessage(`version ${value.version} is unknown; this reader knows 1`);
  const payloadCheck = payloadOf(value.kind);
  if (payloadCheck === undefined) throw new MalformedMessage(`kind '${value.kind}' is unknown`);
  if (!payloadCheck.accepts(value.payload))
    throw new MalformedMessage(`payload${payloadCheck.fault(value.payload)}`);
  const { id, kind, generation, runId, createdAt, payload } = value as JobMessage<Payload>;
  return {
    id,
    kind,
    generation,
    runId,
    createdAt,
    payload,
    signedRunId: isTrusted ? runId : undefined,
  };
}

/** @throws MalformedMessage */
function checkEnvelope(value: unknown): void {
  const boundsFault = jsonFault(value, MESSAGE_BOUNDS);
  if (boundsFault !== undefined) throw new MalformedMessage(`the body ${boundsFault}`);
  if (!envelopeCheck.Check(value))
    throw new MalformedMessage(describe(envelopeCheck.Errors(value)));
}

/** @returns the message in a body, with an unchecked payload; undefined where the body is no message of a job. */
export function readEnvelope(body: Buffer): JobMessage | undefined {
  try {
    const value = parseJson(body);
    return envelopeCheck.Check(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch (error) {
    throw new MalformedMessage('the body is not JSON', { cause: error });
  }
}

function describe(errors: readonly { instancePath: string; message: string }[]): string {
  const [first] = errors;
  if (first === undefined) return 'not as declared';
  return `${first.instancePath || '/'}: ${first.message}`.slice(0, REASON_LIMIT_CHARS);
}
