/** The management API that the live commands need. */
import { vhostOf } from '@fit/topology/amqp';
import { ManagementApi } from '@fit/topology/management';
import { type Context, UsageError } from './command.ts';

/** @throws UsageError where nobody says where it is. */
export function liveApi({ managementUrl, amqpUrl }: Context, command: string): ManagementApi {
  if (managementUrl !== undefined) return new ManagementApi(managementUrl, vhostOf(amqpUrl));
  throw new UsageError(
    `${command} reads what is there from the management API: give --management-url http://user:password@host:15672`,
  );
}

/** @throws UsageError where a word follows that nobody reads. */
export function refuseWords({ words }: Context): void {
  if (words.length > 0)
    throw new UsageError(`'${words.join(' ')}' is not understood; options begin with --`);
}
