/** Plays one fault: quiet before, told in time, nothing else told, quiet again after it is mended. */
import { setTimeout as delay } from 'node:timers/promises';
import { eventually, type Notification, PrometheusApi } from '@fit/stack/testing';
import type { AlertWorld } from './alertWorld.ts';
import type { AlertName, Fault } from './fault.ts';
import {
  isWatchdog,
  keyOf,
  type Moments,
  missingOf,
  secondsBetween,
  type Told,
  toldOf,
  wrongsOf,
} from './told.ts';

export interface FaultReport {
  readonly fault: Fault;
  readonly told: readonly Told[];
  /** What does not hold; empty is a pass. */
  readonly failures: readonly string[];
}

const QUIET_MS = 240_000;
/** The fault goes on for this long after the last expected alert: longer than any shortened window and hold together. */
const LAST_MS = 60_000;
const EXPECTED_SECONDS = 60;
/** Three pings of the shortened repeat interval. */
const SILENCE_MS = 35_000;

export async function observe(fault: Fault, world: AlertWorld): Promise<FaultReport> {
  await untilQuiet(world);
  const mark = world.sink.notifications.length;
  const injectedAt = Date.now();
  const failures = await unhealthyRules(world);
  await fault.inject(world);
  failures.push(
    ...(await failureOf('not told', () => untilTold(fault, world, { mark, injectedAt }))),
  );
  const silentAt = fault.silencesWatchdog ? Date.now() : undefined;
  if (silentAt === undefined) {
    await delay(LAST_MS);
    failures.push(...(await unhealthyRules(world)));
  }
  const moments = { injectedAt, mendedAt: Date.now() };
  await fault.mend(world);
  failures.push(...(await failureOf('not resolved', () => untilQuiet(world, moments.mendedAt))));
  const all = world.sink.notifications.slice(mark);
  failures.push(...wrongsOf(fault, all, moments));
  const told = [...toldOf(fault, all, moments), ...silenceOf(silentAt, all, moments)];
  return { fault, told, failures };
}

async function failureOf(what: string, act: () => Promise<void>): Promise<string[]> {
  try {
    await act();
    return [];
  } catch (error) {
    return [`${what}: ${error instanceof Error ? error.message : String(error)}`];
  }
}

async function untilTold(
  fault: Fault,
  world: AlertWorld,
  { mark, injectedAt }: { readonly mark: number; readonly injectedAt: number },
): Promise<void> {
  const missing = () => [
    ...missingOf(fault, world.sink.notifications.slice(mark)),
    ...(fault.silencesWatchdog && !isSilent(world) ? ['silence of the Watchdog'] : []),
  ];
  const deadlineMs = (fault.deadlineSeconds ?? EXPECTED_SECONDS) * 1_000;
  await eventually(() => missing().length === 0, {
    deadlineMs: Math.max(0, deadlineMs - (Date.now() - injectedAt)),
    describe: async () => `missing ${missing().join(', ')}; ${await describe(world)}`,
  });
}

/**
 * Nothing pending or firing but the Watchdog, and each told one told to be over.
 * @param since the Watchdog must have come again since then: it was silent, or Alertmanager may be.
 */
async function untilQuiet(world: AlertWorld, since = 0): Promise<void> {
  await eventually(async () => (await unrest(world, since)).length === 0, {
    deadlineMs: QUIET_MS,
    intervalMs: 200,
    describe: () => describe(world, since),
  });
}

async function unrest(world: AlertWorld, since: number): Promise<string[]> {
  const active = (await prometheusOf(world).alerts())
    .filter((alert) => !isWatchdog(alert))
    .map(({ state, labels }) => `${state} ${keyOf(labels)}`);
  const latest = new Map<string, Notification>();
  for (const notification of world.sink.notifications)
    if (!isWatchdog(notification)) latest.set(keyOf(notification.labels), notification);
  const untold = [...latest].filter(([, { status }]) => status === 'firing');
  return [
    ...active,
    ...untold.map(([key]) => `not told to be over: ${key}`),
    ...(lastPingAt(world.sink.notifications) >= since ? [] : ['no Watchdog yet']),
  ];
}

async function describe(world: AlertWorld, since = 0): Promise<string> {
  try {
    return (await unrest(world, since)).join('; ');
  } catch (error) {
    return String(error);
  }
}

function prometheusOf({ stack }: AlertWorld): PrometheusApi {
  return new PrometheusApi(stack.prometheusUrl ?? '');
}

/** Those that cannot be evaluated, each with its reason; none is right. */
async function unhealthyRules(world: AlertWorld): Promise<string[]> {
  const rules = await prometheusOf(world).rules();
  return rules
    .filter(({ health }) => health === 'err')
    .map(({ name, lastError = '' }) => `${name}: ${lastError}`);
}

/** What a dead man's switch outside would go by. */
function isSilent({ sink }: AlertWorld): boolean {
  return Date.now() - lastPingAt(sink.notifications) > SILENCE_MS;
}

function lastPingAt(all: readonly Notification[]): number {
  return all.findLast(({ receiver }) => receiver === 'dead-man')?.at ?? 0;
}

function silenceOf(
  silentAt: number | undefined,
  all: readonly Notification[],
  { injectedAt, mendedAt }: Moments,
): Told[] {
  if (silentAt === undefined) return [];
  const alert: AlertName = 'Watchdog silent critical';
  const pingAt = all.find(({ receiver, at }) => receiver === 'dead-man' && at >= mendedAt)?.at;
  return [
    {
      alert,
      receiver: 'dead-man',
      isExpected: true,
      firedSeconds: secondsBetween(injectedAt, silentAt),
      resolvedSeconds: secondsBetween(mendedAt, pingAt ?? NaN),
    },
  ];
}
