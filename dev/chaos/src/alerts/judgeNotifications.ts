/** Judges the notifications of one fault: which alerts were reported, when, and what violates the expectation. No I/O. */
import type { Notification } from '@fit/stack/testing';
import type { AlertName, Fault } from './fault.ts';

/** One alert during one fault, in seconds since the injection and since the repair. */
export interface ReportedAlert {
  readonly alert: AlertName;
  readonly receiver: string;
  readonly firedSeconds: number;
  /** Negative: resolved before the repair. NaN: never resolved. */
  readonly resolvedSeconds: number;
  readonly isExpected: boolean;
}

export interface Moments {
  readonly injectedAt: number;
  readonly repairedAt: number;
}

export function nameOf({ labels }: Pick<Notification, 'labels'>): AlertName {
  return `${labels['alertname'] ?? ''} ${labels['severity'] ?? ''}` as AlertName;
}

/** Alerts of one name differ in their labels. */
export function keyOf(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

export function isWatchdog({ labels }: Pick<Notification, 'labels'>): boolean {
  return labels['alertname'] === 'Watchdog';
}

/** @returns the expected alerts that have not been reported yet. */
export function missingAlerts(fault: Fault, all: readonly Notification[]): AlertName[] {
  const reported = new Set(
    all.filter((item) => item.status === 'firing' && concernsFault(fault, item)).map(nameOf),
  );
  return fault.expected.filter((name) => !reported.has(name));
}

/** @returns the first firing and the last resolution of each alert, over all its label sets. */
export function summarizeAlerts(
  fault: Fault,
  all: readonly Notification[],
  moments: Moments,
): ReportedAlert[] {
  const alarms = all.filter((item) => !isWatchdog(item));
  return [...Map.groupBy(alarms, nameOf)].flatMap(([alert, group]) => {
    const first = group.find(({ status }) => status === 'firing');
    const last = group.findLast(({ status }) => status === 'resolved');
    // Without a firing notification this is the late resolution of an alert that an earlier fault raised.
    if (first === undefined) return [];
    return {
      alert,
      receiver: first.receiver,
      firedSeconds: secondsBetween(moments.injectedAt, first.at),
      resolvedSeconds: secondsBetween(moments.repairedAt, last?.at ?? NaN),
      isExpected: fault.expected.includes(alert),
    };
  });
}

/** @returns alerts that were unexpected, went to the wrong receiver, or ended too early; empty is a pass. */
export function findViolations(
  fault: Fault,
  all: readonly Notification[],
  { repairedAt }: Moments,
): string[] {
  const alarms = all.filter((item) => !isWatchdog(item));
  const firing = alarms.filter(({ status }) => status === 'firing');
  return [
    ...firing
      .filter((item) => !isAllowed(fault, item))
      .map((item) => `unexpected: ${textOf(item)}`),
    ...firing
      .filter(({ receiver, labels }) => receiver !== receiverOf(labels['severity']))
      .map((item) => `sent to ${item.receiver}: ${textOf(item)}`),
    ...fault.expected
      .filter((name) => hasEndedEarly(fault, { name, alarms, repairedAt }))
      .map((name) => `resolved before the repair: ${name}`),
  ];
}

function isAllowed(fault: Fault, item: Notification): boolean {
  const name = nameOf(item);
  if (fault.sideAlerts !== undefined && name in fault.sideAlerts) return true;
  return fault.expected.includes(name) && concernsFault(fault, item);
}

function concernsFault({ labels: wanted = {} }: Fault, item: Notification): boolean {
  return Object.entries(wanted[nameOf(item)] ?? {}).every(([label, value]) => {
    const text = item.labels[label] ?? '';
    return typeof value === 'string' ? text === value : value.test(text);
  });
}

/** The intended routes of Alertmanager. */
function receiverOf(severity: string | undefined): string {
  return severity === 'critical' ? 'critical' : 'warning';
}

function hasEndedEarly(
  fault: Fault,
  {
    name,
    alarms,
    repairedAt,
  }: { name: AlertName; alarms: readonly Notification[]; repairedAt: number },
): boolean {
  if (fault.mayEndEarly !== undefined && name in fault.mayEndEarly) return false;
  const before = alarms.filter((item) => item.at < repairedAt && nameOf(item) === name);
  const latest = new Map(before.map((item) => [keyOf(item.labels), item.status]));
  return latest.size > 0 && ![...latest.values()].includes('firing');
}

function textOf({ labels }: Notification): string {
  const { alertname, severity, ...rest } = labels;
  return `${alertname ?? ''} ${severity ?? ''} ${JSON.stringify(rest)}`;
}

export function secondsBetween(from: number, to: number): number {
  return Math.round((to - from) / 1_000);
}
