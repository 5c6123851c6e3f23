/**
 * Loaded by launch.mjs into the program that it runs, which leads a process group: asks the program to stop when
 * launch.mjs is killed, and kills the rest of the group after it, as launch.mjs would have done. The closed channel
 * tells it at once, and also where launch.mjs died before this module was loaded.
 */
import { isMainThread } from 'node:worker_threads';

if (isMainThread && process.channel) {
  process.once('disconnect', () => {
    if (process.listenerCount('SIGTERM') === 0) killGroup();
    process.once('exit', killGroup);
    process.kill(process.pid, 'SIGTERM');
  });
  // Listening must not keep a program alive that has finished.
  process.channel.unref();
}

function killGroup() {
  process.kill(-process.pid, 'SIGKILL');
}
