/** The `job` label of each scrape. Alerts name them, so they are fixed. */
export const WATCHED_JOBS = [
  'rabbitmq',
  'rabbitmq-queues',
  'monolith',
  'coach',
  'prometheus',
  'alertmanager',
] as const;

/** Cron may be absent: where something else triggers the runs there is none, and runbooks stop it. A slot that it misses is CronOverdue. */
export const JOB_NAMES = [...WATCHED_JOBS, 'cron'] as const;

export type JobName = (typeof JOB_NAMES)[number];
