/** What gives nothing on the native stack, each with the reason. Everything else must give a number. */

const NO_CRON = 'npm start and the tests run no cron; compose does, and scrapes it';

/** Series that the rules and panels name. */
export const ABSENT_HERE: ReadonlyMap<string, string> = new Map([
  ['cron_runs_total', NO_CRON],
  ['cron_run_duration_seconds_sum', NO_CRON],
  ['cron_run_duration_seconds_count', NO_CRON],
  ['cron_last_success_timestamp_seconds', NO_CRON],
  ['cron_next_run_timestamp_seconds', NO_CRON],
]);

/** Whole queries of panels. */
export const EMPTY_HERE: ReadonlyMap<string, string> = new Map([
  ['max(cron_next_run_timestamp_seconds) - time()', NO_CRON],
  ['time() - (max(cron_last_success_timestamp_seconds) > 0)', NO_CRON],
  ['sum by (outcome) (cron_runs_total)', NO_CRON],
  ['sum(cron_run_duration_seconds_sum) / sum(cron_run_duration_seconds_count)', NO_CRON],
]);
