/**
 * Sets the clock of a process back by `SLOW_CLOCK_MS`, as an operating system whose time was never synchronised would. Loaded
 * by NODE_OPTIONS=--import; timers and the monotonic clock stay as they are.
 */
const SLOW_CLOCK_MS = 200_000;

const SystemDate = Date;
const now = () => SystemDate.now() - SLOW_CLOCK_MS;

globalThis.Date = new Proxy(SystemDate, {
  construct: (target, args: unknown[], newTarget) =>
    Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as Date,
  apply: () => new SystemDate(now()).toString(),
  get: (target, name) => (name === 'now' ? now : (Reflect.get(target, name) as unknown)),
});
