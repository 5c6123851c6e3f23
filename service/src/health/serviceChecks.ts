/** What a service needs before work is sent to it. */
import type { HealthCheck } from './health.ts';

export interface ServiceParts {
  readonly isStoreUp: () => Promise<boolean>;
  /** What speaks to the broker; undefined until the topology is asserted. */
  readonly broker: () =>
    | { readonly isUp: boolean; readonly topologyFault?: string | undefined }
    | undefined;
}

export function dependencyChecks({
  isStoreUp,
  broker,
}: ServiceParts): Readonly<Record<'store' | 'channel' | 'topology', HealthCheck>> {
  return {
    store: async () => ((await isStoreUp()) ? undefined : 'does not answer a ping'),
    channel: () => (broker()?.isUp === true ? undefined : 'a channel to the broker is not open'),
    // Asserted at each connect before a channel opens, and looked at again while the connection stands.
    topology: () => {
      const speaker = broker();
      return speaker === undefined ? 'not asserted yet' : speaker.topologyFault;
    },
  };
}
