/** A virtual host that is created for one verification and deleted after it. */
import { fault, TopologyError } from '@fit/topology';
import { ManagementApi } from '@fit/topology/management';

/** Deleting a virtual host with a dozen quorum queues takes seconds. */
const DELETE_TIMEOUT_MS = 30_000;

export interface BrokerUrls {
  readonly amqpUrl: string;
  /** With the credentials of a user that may create virtual hosts. */
  readonly managementUrl: string;
}

/**
 * Creates the virtual host, with all rights for the AMQP user.
 * @returns the broker's URLs with that virtual host.
 * @throws TopologyError `BROKER_REFUSED` if the user has no right to; nothing is left then. Error if the management
 * API does not answer.
 */
export async function createVhost(broker: BrokerUrls, vhost: string): Promise<BrokerUrls> {
  const api = new ManagementApi(broker.managementUrl, vhost);
  const amqpUrl = new URL(broker.amqpUrl);
  const user = amqpUrl.username === '' ? 'guest' : decodeURIComponent(amqpUrl.username);
  const refusal =
    (await api.put(['vhosts', vhost], {})) ??
    (await api.put(['permissions', vhost, user], { configure: '.*', write: '.*', read: '.*' }));
  if (refusal !== undefined) {
    // The first request may have been granted and the second refused.
    await deleteVhost(broker, vhost).catch(() => undefined);
    const remedy = `the broker answered ${refusal}; to create a virtual host the user of --management-url needs the administrator tag`;
    throw new TopologyError('BROKER_REFUSED', [fault('VHOST_REFUSED', vhost, remedy)]);
  }
  amqpUrl.pathname = `/${encodeURIComponent(vhost)}`;
  return { amqpUrl: amqpUrl.href, managementUrl: broker.managementUrl };
}

/** Deletes the virtual host with all that is in it. A virtual host that does not exist is not an error. @throws Error with the remedy. */
export async function deleteVhost({ managementUrl }: BrokerUrls, vhost: string): Promise<void> {
  const message = `virtual host ${vhost} is left behind; delete it: rabbitmqctl delete_vhost ${vhost}`;
  const api = new ManagementApi(managementUrl, vhost);
  const refusal = await api.delete(['vhosts', vhost], DELETE_TIMEOUT_MS).catch((error: unknown) => {
    throw new Error(message, { cause: error });
  });
  if (refusal !== undefined) throw new Error(`${message} (${refusal})`);
}
