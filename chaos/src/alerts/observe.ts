/** Plays one fault: quiet before, told in time, nothing else told, quiet again after it is mended. */
import { type Notification, PrometheusApi } from '@fit/stack/testing';
import { until } from '../arena.ts';
import type { AlertWorld } from './alertWorld.ts';
import type { AlertName, Fault } from './fault.ts';

/** One alert under one fault, in seconds since the injection and since the mending. */
export interface Told {
  readonly alert: AlertName;
  readonly receiver: string;
  readonly firedSeconds: number;
  readonly resolvedSeconds: number;
  readonly isExpected: boolean;
}

export interface FaultReport {
  readonly fault: Fault;
  readonly told: readonly Told[];
  /** What does not hold; empty is a pass. */
  readonly failures: readonly string[];
}

const QUIET_MS = 240_000;
/** What would come in the wake of the expected ones has this long to come. */
const WAKE_MS = 15_000;
const EXPECTED_SECONDS = 60;
/** Three pings of the shortened repeat interval. */
const SILENCE_MS = 35_000;

export async function observe(fault: Fault, world: AlertWorld): Promise<FaultReport> {
  await untilQuiet(world);
  const failures = await unhealthyRules(world);
  const mark = world.sink.notifications.length;
  const injectedAt = Date.now();
  await fault.inject(world);
  const deadlineMs = (fault.deadlineSeconds ?? EXPECTED_SECONDS) * 1_000;
  const missing = () => missingOf(fault, world, mark);
  failures.push(
    ...(await failureOf('not told', async () => {
      await until(() => Promise.resolve(missing().length === 0), {
        deadlineMs: Math.max(0, deadlineMs - (Date.now() - injectedAt)),
        describe: async () => `missing ${missing().join(', ')}; ${await describe(world)}`,
      });
    })),
  );
  const silentAt = fault.silencesWatchdog ? Date.now() : undefined;
  await new Promise((resolve) => setTimeout(resolve, WAKE_MS));
  const mendedAt = Date.now();
  await fault.mend(world);
  failures.push(...(await failureOf('not resolved', () => untilQuiet(world))));
  const all = world.sink.notifications.slice(mark);
  const told = [
    ...toldOf(fault, all, { injectedAt, mendedAt }),
    ...silenceOf(silentAt, { injectedAt, mendedAt }),
  ];
  const unexpected = told.filter(({ alert, isExpected }) => !isExpected && !mayCome(fault, alert));
  for (const { alert } of unexpected) failures.push(`unexpected: ${alert}`);
  return { fault, told, failures };
}

function mayCome({ consequences = {} }: Fault, alert: AlertName): boolean {
  return alert in consequences;
}

async function failureOf(what: string, act: () => Promise<void>): Promise<string[]> {
  try {
    await act();
    return [];
  } catch (error) {
    return [`${what}: ${error instanceof Error ? error.message : String(error)}`];
  }
}

/** Nothing pending or firing but the Watchdog, and each told one told to be over. */
async function untilQuiet(world: AlertWorld): Promise<void> {
  await until(async () => (await unrest(world)).length === 0, {
    deadlineMs: QUIET_MS,
    describe: () => describe(world),
  });
}

async function unrest(world: AlertWorld): Promise<string[]> {
  const active = (await prometheusOf(world).alerts())
    .filter(({ labels }) => labels['alertname'] !== 'Watchdog')
    .map(({ state, labels }) => `${state} ${keyOf(labels)}`);
  const latest = new Map<string, Notification>();
  for (const notification of world.sink.notifications)
    if (notification.labels['alertname'] !== 'Watchdog')
      latest.set(keyOf(notification.labels), notification);
  const untold = [...latest].filter(([, { status }]) => status === 'firing');
  return [...active, ...untold.map(([key]) => `not told to be over: ${key}`)];
}

async function describe(world: AlertWorld): Promise<string> {
  try {
    return (await unrest(world)).join('; ');
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

function keyOf(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function nameOf({ labels }: Notification): AlertName {
  return `${labels['alertname'] ?? ''} ${labels['severity'] ?? ''}` as AlertName;
}

function firingSince(world: AlertWorld, mark: number): Notification[] {
  return world.sink.notifications.slice(mark).filter(({ status }) => status === 'firing');
}

function missingOf(fault: Fault, world: AlertWorld, mark: number): string[] {
  const names = new Set(firingSince(world, mark).map(nameOf));
  const missing: string[] = fault.expected.filter((name) => !names.has(name));
  if (fault.silencesWatchdog && !isSilent(world)) missing.push('silence of the Watchdog');
  return missing;
}

/** What a dead man's switch outside would go by. */
function isSilent({ sink }: AlertWorld): boolean {
  const last = sink.notifications.findLast(({ receiver }) => receiver === 'dead-man');
  return Date.now() - (last?.at ?? 0) > SILENCE_MS;
}

function silenceOf(silentAt: number | undefined, moments: Moments): Told[] {
  if (silentAt === undefined) return [];
  const firedSeconds = secondsBetween(moments.injectedAt, silentAt);
  const alert = 'Watchdog silent critical' as AlertName;
  return [{ alert, receiver: 'dead-man', firedSeconds, resolvedSeconds: NaN, isExpected: true }];
}

interface Moments {
  readonly injectedAt: number;
  readonly mendedAt: number;
}

/** The first firing and the last resolution of each alert, over all its label sets. */
function toldOf(fault: Fault, all: readonly Notification[], moments: Moments): Told[] {
  const alarms = all.filter(({ labels }) => labels['alertname'] !== 'Watchdog');
  return [...Map.groupBy(alarms, nameOf)].flatMap(([alert, group]) => {
    const first = group.find(({ status }) => status === 'firing');
    const last = group.findLast(({ status }) => status === 'resolved');
    // Only a late resolution of what an earlier fault had raised.
    if (first === undefined) return [];
    return {
      alert,
      receiver: first.receiver,
      firedSeconds: secondsBetween(moments.injectedAt, first.at),
      resolvedSeconds: secondsBetween(moments.mendedAt, last?.at ?? NaN),
      isExpected: fault.expected.includes(alert),
    };
  });
}

function secondsBetween(from: number, to: number): number {
  return Math.round((to - from) / 1_000);
}
