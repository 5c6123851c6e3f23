/**
 * Loaded by launch.mjs into the program that it runs: asks the program to stop when launch.mjs is killed. The closed
 * channel tells it at once, and also where launch.mjs died before this module was loaded.
 */
import { isMainThread } from 'node:worker_threads';

if (isMainThread && process.channel) {
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  // Listening must not keep a program alive that has finished.
  process.channel.unref();
}
