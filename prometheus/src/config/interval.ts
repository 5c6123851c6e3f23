/** Scrape and rule evaluation; equal to the broker's `collect_statistics_interval`, since gauges are no fresher. */
export const INTERVAL = '5s';

/** Below the interval, or Prometheus refuses the configuration. A hung target is one lost sample. */
export const SCRAPE_TIMEOUT = '4s';
