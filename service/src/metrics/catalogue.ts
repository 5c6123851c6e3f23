/** Every metric that FIT's processes export, as data. Nothing is exported that is not here; a test compares both ways. */
import { BROKER_METRICS } from './catalogue/broker.ts';
import { CRON_METRICS } from './catalogue/cron.ts';
import { JOB_METRICS } from './catalogue/jobs.ts';
import { RECORD_METRICS } from './catalogue/records.ts';
import { RUNTIME_METRICS } from './catalogue/runtime.ts';
import { SERVICE_METRICS } from './catalogue/service.ts';
import type { MetricDefinition, ProcessName } from './definition.ts';

/** Made by FIT from these definitions. */
export const OWN_METRICS = {
  ...JOB_METRICS,
  ...RECORD_METRICS,
  ...BROKER_METRICS,
  ...SERVICE_METRICS,
  ...CRON_METRICS,
} as const;

export type MetricName = keyof typeof OWN_METRICS;
type Definition<Name extends MetricName> = (typeof OWN_METRICS)[Name];

/** The names of one kind of metric. */
export type NameOf<Kind extends MetricDefinition['kind']> = {
  [Name in MetricName]: Definition<Name>['kind'] extends Kind ? Name : never;
}[MetricName];

/** The labels that a value of a metric must carry. */
export type LabelsOf<Name extends MetricName> = Readonly<
  Record<keyof Definition<Name>['labels'], string>
>;

export interface MetricSection {
  readonly title: string;
  readonly metrics: Readonly<Record<string, MetricDefinition>>;
}

/** Series of one process beyond which something is unbounded; a test holds the live processes to it. */
export const SERIES_CEILINGS: Readonly<Record<ProcessName, number>> = {
  monolith: 1_800,
  coach: 1_000,
  cron: 120,
};

/** The whole catalogue, in the order in which it is documented. */
export const CATALOGUE: readonly MetricSection[] = [
  { title: 'Attempts and ends of jobs', metrics: JOB_METRICS },
  { title: 'Records, relay, reconciler, replay', metrics: RECORD_METRICS },
  { title: 'Publishing, AMQP, what was declared', metrics: BROKER_METRICS },
  { title: 'Process, HTTP, database client', metrics: SERVICE_METRICS },
  { title: 'Daily trigger', metrics: CRON_METRICS },
  { title: 'Node and the process (prom-client)', metrics: RUNTIME_METRICS },
];
