/** Injects one fault and checks the alerts: none before, the expected ones in time, no other one, and none after the repair. */
import { setTimeout as delay } from 'node:timers/promises';
import { eventually, type Notification, PrometheusApi } from '@fit/stack/testing';
import type { AlertTestEnvironment } from './alertTestEnvironment.ts';
import type { AlertName, Fault } from './fault.ts';
import {
  findViolations,
  isWatchdog,
  keyOf,
  type Moments,
  missingAlerts,
  type ReportedAlert,
  secondsBetween,
  summarizeAlerts,
} from './judgeNotifications.ts';

export interface FaultReport {
  readonly fault: Fault;
  readonly alerts: readonly ReportedAlert[];
  /** Violations and errors; empty is a pass. */
  readonly failures: readonly string[];
}

const ALL_RESOLVED_MS = 240_000;
/** The fault goes on for this long after the last expected alert: longer than any lookback and hold of the short windows. */
const FAULT_LASTS_MS = 60_000;
const EXPECTED_SECONDS = 60;
/** Three periods of the Watchdog with the short windows. */
const WATCHDOG_SILENT_MS = 35_000;

export async function injectFault(
  fault: Fault,
  environment: AlertTestEnvironment,
): Promise<FaultReport> {
  await untilAllResolved(environment);
  const mark = environment.sink.notifications.length;
  const injectedAt = Date.now();
  const failures = await unhealthyRules(environment);
  await fault.inject(environment);
  failures.push(
    ...(await failureOf('not reported', () =>
      untilReported(fault, environment, { mark, injectedAt }),
    )),
  );
  const silentAt = fault.silencesWatchdog ? Date.now() : undefined;
  if (silentAt === undefined) {
    await delay(FAULT_LASTS_MS);
    failures.push(...(await unhealthyRules(environment)));
  }
  const moments = { injectedAt, repairedAt: Date.now() };
  await fault.repair(environment);
  failures.push(
    ...(await failureOf('not resolved', () => untilAllResolved(environment, moments.repairedAt))),
  );
  const all = environment.sink.notifications.slice(mark);
  failures.push(...findViolations(fault, all, moments));
  const alerts = [
    ...summarizeAlerts(fault, all, moments),
    ...watchdogSilence(silentAt, all, moments),
  ];
  return { fault, alerts, failures };
}

async function failureOf(what: string, act: () => Promise<void>): Promise<string[]> {
  try {
    await act();
    return [];
  } catch (error) {
    return [`${what}: ${error instanceof Error ? error.message : String(error)}`];
  }
}

async function untilReported(
  fault: Fault,
  environment: AlertTestEnvironment,
  { mark, injectedAt }: { readonly mark: number; readonly injectedAt: number },
): Promise<void> {
  const missing = () => [
    ...missingAlerts(fault, environment.sink.notifications.slice(mark)),
    ...(fault.silencesWatchdog && !isSilent(environment) ? ['silence of the Watchdog'] : []),
  ];
  const deadlineMs = (fault.deadlineSeconds ?? EXPECTED_SECONDS) * 1_000;
  await eventually(() => missing().length === 0, {
    deadlineMs: Math.max(0, deadlineMs - (Date.now() - injectedAt)),
    describe: async () => `missing ${missing().join(', ')}; ${await describe(environment)}`,
  });
}

/**
 * Waits until no alert but the Watchdog is pending or firing, and each reported one is reported as resolved.
 * @param since the Watchdog must have been sent again since then.
 */
async function untilAllResolved(environment: AlertTestEnvironment, since = 0): Promise<void> {
  await eventually(async () => (await unresolved(environment, since)).length === 0, {
    deadlineMs: ALL_RESOLVED_MS,
    intervalMs: 200,
    describe: () => describe(environment, since),
  });
}

async function unresolved(environment: AlertTestEnvironment, since: number): Promise<string[]> {
  const active = (await prometheusOf(environment).alerts())
    .filter((alert) => !isWatchdog(alert))
    .map(({ state, labels }) => `${state} ${keyOf(labels)}`);
  const latest = new Map<string, Notification>();
  for (const notification of environment.sink.notifications)
    if (!isWatchdog(notification)) latest.set(keyOf(notification.labels), notification);
  const firing = [...latest].filter(([, { status }]) => status === 'firing');
  return [
    ...active,
    ...firing.map(([key]) => `not reported as resolved: ${key}`),
    ...(lastWatchdogAt(environment.sink.notifications) >= since
      ? []
      : ['no Watchdog since the repair']),
  ];
}

async function describe(environment: AlertTestEnvironment, since = 0): Promise<string> {
  try {
    return (await unresolved(environment, since)).join('; ');
  } catch (error) {
    return String(error);
  }
}

function prometheusOf({ stack }: AlertTestEnvironment): PrometheusApi {
  return new PrometheusApi(stack.prometheusUrl ?? '');
}

/** @returns the rules that cannot be evaluated, with the reason; expected to be empty. */
async function unhealthyRules(environment: AlertTestEnvironment): Promise<string[]> {
  const rules = await prometheusOf(environment).rules();
  return rules
    .filter(({ health }) => health === 'err')
    .map(({ name, lastError = '' }) => `${name}: ${lastError}`);
}

/** The Watchdog's receiver would raise its alarm now. */
function isSilent({ sink }: AlertTestEnvironment): boolean {
  return Date.now() - lastWatchdogAt(sink.notifications) > WATCHDOG_SILENT_MS;
}

function lastWatchdogAt(all: readonly Notification[]): number {
  return all.findLast(({ receiver }) => receiver === 'watchdog')?.at ?? 0;
}

function watchdogSilence(
  silentAt: number | undefined,
  all: readonly Notification[],
  { injectedAt, repairedAt }: Moments,
): ReportedAlert[] {
  if (silentAt === undefined) return [];
  const alert: AlertName = 'Watchdog silent critical';
  const watchdogAt = all.find(
    ({ receiver, at }) => receiver === 'watchdog' && at >= repairedAt,
  )?.at;
  return [
    {
      alert,
      receiver: 'watchdog',
      isExpected: true,
      firedSeconds: secondsBetween(injectedAt, silentAt),
      resolvedSeconds: secondsBetween(repairedAt, watchdogAt ?? NaN),
    },
  ];
}
