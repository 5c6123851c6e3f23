/**
 * Redis for the benchmark that compares FIT with other job systems, reachable only through a socket in the stack's folder.
 * FIT itself does not use it.
 */
import { connect } from 'node:net';
import { join } from 'node:path';
import {
  makeServerFolder,
  type ServerDefinition,
  type StackSettings,
  writeServerFile,
} from './serverDefinition.ts';

const ANSWER_DEADLINE_MS = 2_000;
const SOCKET_NAME = 'redis.sock';

/**
 * Every write is on the disk before it is answered (`appendfsync always`), as a committed transaction of PostgreSQL is, and
 * nothing is evicted, which BullMQ requires of its Redis. There are no snapshots beside the log of writes: they would only
 * cost time. The root folder has no locales, and Redis does not start with one that is missing.
 */
const CONFIGURATION = `
port 0
unixsocket /stack/redis/run/${SOCKET_NAME}
unixsocketperm 700
dir /stack/redis/data
appendonly yes
appendfsync always
save ""
maxmemory-policy noeviction
daemonize no
locale-collate C
`;

/** The Redis of a stack. */
export function redis({ folder }: StackSettings): ServerDefinition {
  const run = join(folder, 'redis/run');
  return {
    name: 'redis',
    url: `unix:${join(run, SOCKET_NAME)}`,
    command: ['/usr/bin/redis-server', '/stack/redis/redis.conf'],
    environment: { HOME: '/stack/redis' },
    listensOn: [],
    prepare: async () => {
      for (const path of [join(folder, 'redis'), run, join(folder, 'redis/data')])
        await makeServerFolder(path);
      await writeServerFile(join(folder, 'redis/redis.conf'), CONFIGURATION);
    },
    ready: () => answersPing(join(run, SOCKET_NAME)),
    deadlineMs: 30_000,
    stopSignal: 'SIGTERM',
  };
}

/** @returns whether Redis answers PING: it refuses commands while it loads its data. */
async function answersPing(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    return await new Promise<boolean>((resolve, reject) => {
      socket.once('error', reject);
      socket.setTimeout(ANSWER_DEADLINE_MS, () => {
        reject(new Error('redis did not answer'));
      });
      socket.once('data', (answer) => {
        resolve(answer.toString().startsWith('+PONG'));
      });
      socket.write('PING\r\n');
    });
  } finally {
    socket.destroy();
  }
}
