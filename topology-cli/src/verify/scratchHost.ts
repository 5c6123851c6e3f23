/** A virtual host that nobody else knows: made for one verification, and removed after it. */
import { fault, TopologyError } from '@fit/topology';
import { ManagementApi } from '@fit/topology/management';

/** A vhost with a dozen quorum queues takes a while to go. */
const DELETE_TIMEOUT_MS = 30_000;

/** Where the broker is. */
export interface Broker {
  readonly amqpUrl: string;
  /** With credentials of a user that may make virtual hosts. */
  readonly managementUrl: string;
}

/**
 * Makes it, with all rights for the AMQP user.
 * @returns the broker, by way of that virtual host.
 * @throws TopologyError `BROKER_REFUSED` where the user may not, and nothing is left; Error where the management API does not answer.
 */
export async function createHost(broker: Broker, vhost: string): Promise<Broker> {
  const api = new ManagementApi(broker.managementUrl, vhost);
  const amqpUrl = new URL(broker.amqpUrl);
  const user = amqpUrl.username === '' ? 'guest' : decodeURIComponent(amqpUrl.username);
  const refusal =
    (await api.put(['vhosts', vhost], {})) ??
    (await api.put(['permissions', vhost, user], { configure: '.*', write: '.*', read: '.*' }));
  if (refusal !== undefined) {
    // The first request may have been granted and the second refused; whoever may not make one may not remove it.
    await deleteHost(broker, vhost).catch(() => undefined);
    const remedy = `the broker answered ${refusal}; to make a virtual host the user of --management-url needs the administrator tag`;
    throw new TopologyError('BROKER_REFUSED', [fault('VHOST_REFUSED', vhost, remedy)]);
  }
  amqpUrl.pathname = `/${encodeURIComponent(vhost)}`;
  return { amqpUrl: amqpUrl.href, managementUrl: broker.managementUrl };
}

/** With all that is in it; one that is not there is no error. @throws Error that names what is left. */
export async function deleteHost({ managementUrl }: Broker, vhost: string): Promise<void> {
  const left = `virtual host ${vhost} is left behind; remove it: rabbitmqctl delete_vhost ${vhost}`;
  const api = new ManagementApi(managementUrl, vhost);
  const refusal = await api.delete(['vhosts', vhost], DELETE_TIMEOUT_MS).catch((error: unknown) => {
    throw new Error(left, { cause: error });
  });
  if (refusal !== undefined) throw new Error(`${left} (${refusal})`);
}
