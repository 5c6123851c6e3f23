/** Notifications → what was told of a fault, and what does not hold. Pure. */
import type { Notification } from '@fit/stack/testing';
import type { AlertName, Fault } from './fault.ts';

/** One alert under one fault, in seconds since the injection and since the mending. */
export interface Told {
  readonly alert: AlertName;
  readonly receiver: string;
  readonly firedSeconds: number;
  /** Negative: before it was mended. NaN: never told. */
  readonly resolvedSeconds: number;
  readonly isExpected: boolean;
}

export interface Moments {
  readonly injectedAt: number;
  readonly mendedAt: number;
}

export function nameOf({ labels }: Pick<Notification, 'labels'>): AlertName {
  return `${labels['alertname'] ?? ''} ${labels['severity'] ?? ''}` as AlertName;
}

/** Label sets tell alerts of one name apart. */
export function keyOf(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

export function isWatchdog({ labels }: Pick<Notification, 'labels'>): boolean {
  return labels['alertname'] === 'Watchdog';
}

/** @returns the expected alerts of which nobody was told yet. */
export function missingOf(fault: Fault, all: readonly Notification[]): AlertName[] {
  const told = new Set(
    all.filter((item) => item.status === 'firing' && isOfFault(fault, item)).map(nameOf),
  );
  return fault.expected.filter((name) => !told.has(name));
}

/** @returns the first firing and the last resolution of each alert, over all its label sets. */
export function toldOf(fault: Fault, all: readonly Notification[], moments: Moments): Told[] {
  const alarms = all.filter((item) => !isWatchdog(item));
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

/** @returns what was told and should not have been, or to the wrong people, or was over too early; empty is a pass. */
export function wrongsOf(
  fault: Fault,
  all: readonly Notification[],
  { mendedAt }: Moments,
): string[] {
  const alarms = all.filter((item) => !isWatchdog(item));
  const firing = alarms.filter(({ status }) => status === 'firing');
  return [
    ...firing.filter((item) => !mayCome(fault, item)).map((item) => `unexpected: ${textOf(item)}`),
    ...firing
      .filter(({ receiver, labels }) => receiver !== receiverOf(labels['severity']))
      .map((item) => `told to ${item.receiver}: ${textOf(item)}`),
    ...fault.expected
      .filter((name) => isOverEarly(fault, { name, alarms, mendedAt }))
      .map((name) => `over before the fault was: ${name}`),
  ];
}

function mayCome(fault: Fault, item: Notification): boolean {
  const name = nameOf(item);
  if (fault.consequences !== undefined && name in fault.consequences) return true;
  return fault.expected.includes(name) && isOfFault(fault, item);
}

function isOfFault({ labels: wanted = {} }: Fault, item: Notification): boolean {
  return Object.entries(wanted[nameOf(item)] ?? {}).every(([label, value]) => {
    const text = item.labels[label] ?? '';
    return typeof value === 'string' ? text === value : value.test(text);
  });
}

/** As the routes of Alertmanager are meant. */
function receiverOf(severity: string | undefined): string {
  return severity === 'critical' ? 'page' : 'ticket';
}

function isOverEarly(
  fault: Fault,
  {
    name,
    alarms,
    mendedAt,
  }: { name: AlertName; alarms: readonly Notification[]; mendedAt: number },
): boolean {
  if (fault.passing !== undefined && name in fault.passing) return false;
  const before = alarms.filter((item) => item.at < mendedAt && nameOf(item) === name);
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
