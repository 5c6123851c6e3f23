/**
 * The work of every consumer: it sends a mail, or fails as the mail says, and reports each step on standard output, which
 * survives a kill -9. Consumers bring the waits, the dead letters and the stop; this file is not counted.
 */
import { writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';

export const mail = z.object({
  id: z.string(),
  to: z.string(),
  /** Attempts that fail before one succeeds. */
  failures: z.number(),
  durationMs: z.number(),
  /** The error is of the class that no retry can help. */
  isFatal: z.boolean(),
  /** Ends the process that takes it. */
  isPoison: z.boolean(),
  /** Number of the process that stands still in this handler, until it is killed; 0 for none. */
  freezesProcess: z.number(),
});
export type Mail = z.infer<typeof mail>;

/** The class of error that no retry can help. */
export class NoSuchAddress extends Error {
  override readonly name = 'NoSuchAddress';
}

/** Acknowledgements that were sent before the process stood still reach the broker within this time. */
const FLUSH_MS = 300;
const PROCESS_NUMBER = Number(process.env['PROCESS_NUMBER'] ?? 1);
let isFrozen = false;

/**
 * @param attempt counted from 1, as the consumer or its library counts.
 * @throws NoSuchAddress for a fatal mail; Error for a failure that a retry may help.
 */
export async function send(message: Mail, attempt: number): Promise<void> {
  const report = (event: string) => {
    writeSync(1, `${JSON.stringify({ event, id: message.id, attempt })}\n`);
  };
  report('start');
  if (message.isPoison) process.kill(process.pid, 'SIGKILL');
  await delay(message.durationMs);
  if (message.freezesProcess === PROCESS_NUMBER) {
    isFrozen = true;
    setTimeout(() => {
      report('frozen');
    }, FLUSH_MS);
  }
  // No handler ends any more, so what was acknowledged and what was not is known when the process is killed.
  if (isFrozen) await new Promise(() => undefined);
  if (message.isFatal) {
    report('failed');
    throw new NoSuchAddress('there is no such address');
  }
  if (attempt <= message.failures) {
    report('failed');
    throw new Error(`the mail server is busy at attempt ${attempt}`);
  }
  report('sent');
}
