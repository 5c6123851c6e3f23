/** The leases of runs and batches, which are in their own records: how long they last, and how another relay takes one. */

/**
 * Duration of a relay's lease of a batch or a run in milliseconds. The holder renews it every `RELAY_RENEW_MS`, so it lasts longer
 * than a renewal whose statement takes its longest time.
 */
export const RELAY_LEASE_MS = 15_000;
export const RELAY_RENEW_MS = 3_000;
/**
 * Duration of the lease of a batch whose jobs exist already and are moved into it by further statements, in milliseconds. Its
 * maker does not renew it. A relay that took the batch before the last of these statements had ended would publish it without
 * the jobs that came later, so it is longer than these statements take at their limits. A maker that is suspended for longer
 * leaves such jobs to the reconciler.
 */
const OPERATION_LEASE_MS = 90_000;
/** A lease that ends within this time is asked for, since the known time of the database may be late by half a round trip. */
const CLOCK_MARGIN_MS = 250;

/** The end of a lease that begins when the statement runs, as an expression of an update pipeline. */
export const LEASE_END = { $add: ['$$NOW', RELAY_LEASE_MS] };

/** @returns the end of a lease that begins now, for an insert. @param now the database's time. */
export function leaseEndAfter(now: Date): Date {
  return new Date(now.getTime() + RELAY_LEASE_MS);
}

/** @returns the end of a lease of a batch that existing jobs are moved into. @param now the database's time. */
export function operationLeaseEndAfter(now: Date): Date {
  return new Date(now.getTime() + OPERATION_LEASE_MS);
}

/**
 * @param now the database's time as this process knows it; it only spares statements.
 * @returns the time before which a lease must end, so that it is worth to ask the database whether it has ended.
 */
export function mayBeOverBefore(now: Date): Date {
  return new Date(now.getTime() + CLOCK_MARGIN_MS);
}

/** @returns whether a lease may have ended, so that it is worth to ask the database. */
export function mayBeOver({ leaseUntil }: { readonly leaseUntil: Date }, now: Date): boolean {
  return leaseUntil < mayBeOverBefore(now);
}

/**
 * @returns an update that gives the record to `owner`, with the next fence, if its lease has ended; else it changes nothing. Only
 * the database's clock decides, so the condition is inside the update.
 */
export function takeIfOver(owner: string): Record<string, unknown>[] {
  const isOver = { $lt: ['$leaseUntil', '$$NOW'] };
  return [
    {
      $set: {
        owner: { $cond: [isOver, owner, '$owner'] },
        fence: { $cond: [isOver, { $add: ['$fence', 1] }, '$fence'] },
        leaseUntil: { $cond: [isOver, LEASE_END, '$leaseUntil'] },
      },
    },
  ];
}
