/** The `job` label of each scrape. Alerts name them, so they are fixed. */
export const JOB_NAMES = [
  'rabbitmq',
  'rabbitmq-queues',
  'monolith',
  'coach',
  'prometheus',
  'alertmanager',
] as const;

export type JobName = (typeof JOB_NAMES)[number];
