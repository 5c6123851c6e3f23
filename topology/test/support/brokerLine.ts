/** What is known of each line of RabbitMQ, in one place: the same tests run on all of them (`npm run conformance`). */
import { askManagement } from '@fit/stack/testing';
import type { BrokerLine } from './deathHeaders.ts';

/** As the broker says, such as '4.3.6'. */
export async function brokerVersion(): Promise<string> {
  const overview = (await askManagement({ method: 'GET', path: '/api/overview' })) as {
    rabbitmq_version: string;
  };
  return overview.rabbitmq_version;
}

export interface LineFacts {
  /** Whose fixtures hold (`deathHeaders.ts`). */
  readonly line: BrokerLine;
  readonly hasNativeRetry: boolean;
  readonly hasPriorities: boolean;
  /** A final death after a rejection takes further tiers, since only the first death is told; it is not lost. */
  readonly finalDeathTakesTiers: boolean;
  /** x-death that a client sends is continued. */
  readonly continuesForgedDeaths: boolean;
}

export async function lineFacts(): Promise<LineFacts> {
  const version = await brokerVersion();
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  const isOld = major < 4;
  return {
    line: isOld ? '3.10.8' : minor < 3 ? '4.0.5' : '4.3.6',
    hasNativeRetry: major > 4 || (major === 4 && (minor > 3 || (minor === 3 && patch >= 1))),
    hasPriorities: !isOld,
    finalDeathTakesTiers: isOld && minor < 13,
    continuesForgedDeaths: isOld,
  };
}
