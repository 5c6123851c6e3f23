/** The context of a trace as text: `traceparent` of the W3C Trace Context, level 1. Pure. */

/** Identifies one span to another process. */
export interface TraceContext {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  /** Bit 0: sampled. */
  readonly flags: number;
}

/** A later version may append fields and must be read as version 00 (W3C Trace Context, 4.3); version `ff` is forbidden. */
const SHAPE =
  /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const LENGTH_LIMIT_CHARS = 128;

/**
 * Reads a `traceparent` header. Any client can write any value into it, so every type is accepted and checked.
 * @returns undefined where the value is no valid traceparent.
 */
export function parseTraceparent(value: unknown): TraceContext | undefined {
  if (typeof value !== 'string' || value.length > LENGTH_LIMIT_CHARS) return undefined;
  const [, version = '', traceId, spanId, flags = '', rest] = SHAPE.exec(value) ?? [];
  if (traceId === undefined || spanId === undefined) return undefined;
  if (version === '00' && rest !== undefined) return undefined;
  return { traceId, spanId, flags: Number.parseInt(flags, 16) & 1 };
}
