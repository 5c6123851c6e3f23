/**
 * Loaded by launch.mjs into the program that it runs, which leads a process group. When launch.mjs is killed, its IPC
 * channel closes: then this asks the program to stop, and kills the rest of the group after it, as launch.mjs would have
 * done. This also works if launch.mjs died before this module was loaded.
 */
import { isMainThread } from 'node:worker_threads';

if (isMainThread && process.channel) {
  process.once('disconnect', () => {
    if (process.listenerCount('SIGTERM') === 0) killGroup();
    process.once('exit', killGroup);
    process.kill(process.pid, 'SIGTERM');
  });
  // The listener must not keep a finished program alive.
  process.channel.unref();
}

function killGroup() {
  process.kill(-process.pid, 'SIGKILL');
}
