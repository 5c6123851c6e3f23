/** The libraries that are compared: how consumer and publisher of each are started, and what must be said about them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { join } from 'node:path';
import type { Command } from './workerProcess.ts';

export interface Library {
  readonly name: string;
  readonly version: string;
  /** The file whose lines are counted: everything that the consumer needs, imports included. */
  readonly source: string;
  readonly consumer: Command;
  readonly publisher: Command;
  /** What a reader needs to judge its figures; full sentences. */
  readonly notes: readonly string[];
}

const FOLDER = import.meta.dirname;
const program = (file: string): Command => [process.execPath, join(FOLDER, file)];

function versionOf(packageName: string): string {
  const path = findPackageJSON(packageName, import.meta.url);
  if (path === undefined) throw new Error(`${packageName} is not installed: run npm install`);
  return (JSON.parse(readFileSync(path, 'utf8')) as { readonly version?: string }).version ?? '';
}

export const FIT: Library = {
  name: 'FIT topology',
  version: (
    JSON.parse(readFileSync(join(FOLDER, '../../topology/package.json'), 'utf8')) as {
      version: string;
    }
  ).version,
  source: 'fitConsumer.ts',
  consumer: program('fitConsumer.ts'),
  publisher: program('fitPublisher.ts'),
  notes: [
    'FIT chooses the queues, so its consumer declares none of them; the others that wait in queues write them out by hand.',
    'Its circuit breaker pauses the worker while most of the last 20 attempts fail with one class of error, and each failed probe doubles the pause, up to a minute. Where most of the messages that are left fail, as at the end of the kill in a handler, they wait for it; `breaker: false` switches it off.',
  ],
};

export const RASCAL: Library = {
  name: 'rascal',
  version: versionOf('rascal'),
  source: 'rascalConsumer.mjs',
  consumer: program('rascalConsumer.mjs'),
  publisher: program('rascalPublisher.mjs'),
  notes: [
    'Its waits are those of its advanced example, as its README recommends them: the strategy forward to a queue with a time to live, here one for each wait. A fatal message takes the strategy republish with immediateNack, which writes the error into the dead letter. It ships no types, so the consumer is JavaScript.',
    'It could count redeliveries by itself, but its counters live in the memory of a process or cluster; its README recommends the delivery limit of quorum queues, which is used here.',
  ],
};

export const CONNECTION_MANAGER: Library = {
  name: 'amqp-connection-manager',
  version: versionOf('amqp-connection-manager'),
  source: 'connectionManagerConsumer.ts',
  consumer: program('connectionManagerConsumer.ts'),
  publisher: program('connectionManagerPublisher.ts'),
  notes: [
    'It calls itself un-opinionated and has no retries: queues, waits, count of attempts and the wait for running handlers at the stop are the code of this consumer, so its figures judge that code as much as the library.',
    'Its own example acknowledges by the wrapper of the channel. A first version of this consumer did so too: in one of two runs by hand it stood still after the restart of the broker with messages ready. The measured version consumes and acknowledges on the channel that delivered.',
  ],
};

export const RABBITMQ_CLIENT: Library = {
  name: 'rabbitmq-client',
  version: versionOf('rabbitmq-client'),
  source: 'rabbitmqClientConsumer.ts',
  consumer: program('rabbitmqClientConsumer.ts'),
  publisher: program('rabbitmqClientPublisher.ts'),
  notes: [
    'It has no delayed retries: queues, waits and count of attempts are the code of this consumer. Connections, consumers, confirms and the stop are its own.',
  ],
};

/** @returns the non-blank lines of the file that are not comments. */
export function countLines({ source }: Pick<Library, 'source'>): number {
  return readFileSync(join(FOLDER, source), 'utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^(?:\/\/|\/\*|\*)/.test(line)).length;
}

const PUBLISHER_DEADLINE_MS = 30_000;

/** @returns what the library tells the publisher of a message with a key that nobody is bound to. */
export async function askPublisher(command: Command, amqpUrl: string): Promise<string> {
  const [executable, ...args] = command;
  const child = spawn(executable, args, {
    env: { ...process.env, AMQP_URL: amqpUrl },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), PUBLISHER_DEADLINE_MS);
  let printed = '';
  child.stdout.on('data', (text: Buffer) => (printed += text.toString()));
  await once(child, 'close');
  clearTimeout(timer);
  const answer = printed.split('\n').find((line) => /^(?:told|silent)/.test(line));
  return answer ?? 'no answer';
}
