/** What a service needs before work is sent to it. */
import type { Check } from './health.ts';

export interface ServiceParts {
  readonly isStoreUp: () => Promise<boolean>;
  /** What speaks to the broker; undefined until the topology is asserted. */
  readonly broker: () => { readonly isUp: boolean } | undefined;
}

export function serviceChecks({
  isStoreUp,
  broker,
}: ServiceParts): Readonly<Record<'store' | 'channel' | 'topology', Check>> {
  return {
    store: async () => ((await isStoreUp()) ? undefined : 'does not answer a ping'),
    channel: () => (broker()?.isUp === true ? undefined : 'a channel to the broker is not open'),
    // At each connect it is asserted before a channel opens, so an open channel stands on it.
    topology: () => (broker() === undefined ? 'not asserted yet' : undefined),
  };
}
