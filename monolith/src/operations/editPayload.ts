/** The edit of a payload before a replay: a JSON merge patch, and the check that the result is a payload of the kind. Pure. */
import { type JsonBounds, jsonFault, keyOf, type PayloadCheck } from '@fit/jobs';

/** What a kind asks of a payload. */
export interface PayloadRule {
  readonly check: PayloadCheck<unknown>;
  /** @returns the key that a job with this payload has; undefined where the key says nothing about the payload. */
  readonly keyOf?: (payload: unknown) => string;
}

/** By kind. */
export type PayloadRules = ReadonlyMap<string, PayloadRule>;

/** A payload that is larger makes no message; the fields beside it take less than the rest of the 64 KiB. */
const PAYLOAD_LIMIT_BYTES = 60 * 1_024;
/** One level and a few values below those of a message, which contains the payload. */
const PAYLOAD_BOUNDS: JsonBounds = { depth: 31, elements: 3_900 };

/** @returns the payload that the patch makes of a job's payload, or why no job may have it. */
export function editPayload(
  rules: PayloadRules,
  job: { readonly _id: string; readonly kind: string; readonly payload: unknown },
  patch: unknown,
): { readonly payload?: unknown; readonly fault?: string } {
  const rule = rules.get(job.kind);
  if (rule === undefined) return { fault: `the kind ${job.kind} is not known` };
  const payload = mergePatch(job.payload, patch);
  const fault = jsonFault(payload, PAYLOAD_BOUNDS);
  if (fault !== undefined) return { fault: `the payload ${fault}` };
  if (!rule.check.accepts(payload)) return { fault: rule.check.fault(payload) };
  if (Buffer.byteLength(JSON.stringify(payload)) > PAYLOAD_LIMIT_BYTES)
    return { fault: `the payload takes more than ${PAYLOAD_LIMIT_BYTES} bytes` };
  // The effect is stored under what the payload says, and the job would then never find it.
  if (rule.keyOf !== undefined && rule.keyOf(payload) !== keyOf(job._id))
    return { fault: `the payload would belong to the job ${rule.keyOf(payload)}` };
  return { payload };
}

/** RFC 7396: objects are merged, null deletes a field, everything else replaces what was there. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  // A map, because a field of the name __proto__ must stay a field.
  const merged = new Map(Object.entries(isObject(target) ? target : {}));
  for (const [name, value] of Object.entries(patch))
    if (value === null) merged.delete(name);
    else merged.set(name, mergePatch(merged.get(name), value));
  return Object.fromEntries(merged);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
