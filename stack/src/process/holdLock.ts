/** A lock between processes that the kernel releases when its holder dies, however it dies. */
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';

export interface Lock {
  release(): void;
}

/**
 * Takes the lock of that name. It is a socket in Linux's abstract namespace: no file, hence nothing
 * stale to clear away after a kill -9, which is what defeats every lock file.
 * @returns undefined when somebody holds it.
 */
export function holdLock(name: string): Promise<Lock | undefined> {
  const address = `\0fit-stack-${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', () => {
      resolve(undefined);
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
