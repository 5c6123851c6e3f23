/** A lock between processes that the kernel releases when its holder ends, however it ends. */
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { StackError } from '../stackError.ts';

export interface Lock {
  release(): void;
}

/**
 * Takes the lock of that name. The lock is a socket in Linux's abstract namespace and not a lock file: a lock file stays
 * behind after kill -9 and is free only seconds later, and its holder loses it while it is suspended (adr/16).
 * Elsewhere than on Linux no server is started, so there is nothing to lock and every caller gets the lock.
 * @returns undefined while another process holds the lock.
 * @throws StackError `LOCK_FAILED` if the kernel refuses for any other reason.
 */
export function holdLock(name: string): Promise<Lock | undefined> {
  if (process.platform !== 'linux') return Promise.resolve({ release: () => undefined });
  const address = `\0fit-stack-${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(new StackError('LOCK_FAILED', `no lock for ${name}: ${error.message}`, error));
    });
    server.listen(address, () => {
      server.unref();
      resolve({
        release: () => {
          server.close();
        },
      });
    });
  });
}
