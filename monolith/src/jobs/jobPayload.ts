/** The payload of a job, which is shown up to a size, so that no page that shows it freezes; the whole is a download. */
import Type, { type Static } from 'typebox';

/** No message is longer, so of a job that was published the payload is shown whole. */
export const SHOWN_PAYLOAD_BYTES = 64 * 1_024;

export const JobPayload = Type.Object(
  {
    jobId: Type.String(),
    /** Length of the payload as JSON in UTF-8. */
    bytes: Type.Integer({ minimum: 0 }),
    /** Absent where it is longer than 64 KiB. */
    payload: Type.Optional(Type.Unknown()),
    /** The first 64 KiB of the JSON text of a longer payload. */
    head: Type.Optional(Type.String()),
  },
  { title: 'JobPayload' },
);

export function shownPayload(jobId: string, payload: unknown): Static<typeof JobPayload> {
  const text = Buffer.from(JSON.stringify(payload));
  const bytes = text.byteLength;
  if (bytes <= SHOWN_PAYLOAD_BYTES) return { jobId, bytes, payload };
  // A character that is cut in the middle is left out.
  const head = new TextDecoder().decode(text.subarray(0, SHOWN_PAYLOAD_BYTES), { stream: true });
  return { jobId, bytes, head };
}
