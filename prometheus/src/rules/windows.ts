/** Every time that rules and routes wait or look back, in one table: the same expressions run shortened in a live test. */

/** Ranges that an expression may look back over, as it is written in production. */
export type Range =
  | '30s'
  | '1m'
  | '2m'
  | '5m'
  | '10m'
  | '15m'
  | '30m'
  | '1h'
  | '2h'
  | '6h'
  | '1d'
  | '3d'
  | '30d';

/** How long an alert may wait before it fires (`for`), or outlive its expression (`keep_firing_for`). */
export type Hold = '10s' | '15s' | '30s' | '1m' | '2m' | '5m';

/** How Alertmanager collects and repeats. */
export interface RouteTimes {
  readonly groupWait: string;
  readonly groupInterval: string;
  readonly repeatInterval: string;
}

/** What each written time becomes. A name such as `job:dead:ratio_rate1h` keeps its name, whatever it then looks at. */
export interface Windows {
  readonly ranges: Readonly<Record<Range, string>>;
  readonly holds: Readonly<Record<Hold, string>>;
  readonly routes: {
    /** Tickets. */
    readonly rest: RouteTimes;
    /** What is worth nothing late: pages, and warnings that forecast. */
    readonly urgent: RouteTimes;
    readonly deadMan: RouteTimes;
  };
}

export const PRODUCTION_WINDOWS: Windows = freeze({
  ranges: {
    ...{ '30s': '30s', '1m': '1m', '2m': '2m', '5m': '5m', '10m': '10m', '15m': '15m' },
    ...{ '30m': '30m', '1h': '1h', '2h': '2h', '6h': '6h', '1d': '1d', '3d': '3d', '30d': '30d' },
  },
  holds: { '10s': '10s', '15s': '15s', '30s': '30s', '1m': '1m', '2m': '2m', '5m': '5m' },
  routes: {
    rest: { groupWait: '5s', groupInterval: '30s', repeatInterval: '4h' },
    // One second, so that what fires in the same evaluation is one message.
    urgent: { groupWait: '1s', groupInterval: '15s', repeatInterval: '4h' },
    deadMan: { groupWait: '0s', groupInterval: '1m', repeatInterval: '1m' },
  },
});

/** For live fault tests. Ranges are left-open, and a rate needs two samples: four scrape intervals at least. */
export const SHORT_WINDOWS: Windows = freeze({
  ranges: {
    ...{ '30s': '20s', '1m': '20s', '2m': '20s', '5m': '20s', '10m': '30s', '15m': '30s' },
    ...{ '30m': '30s', '1h': '30s', '2h': '30s', '6h': '40s', '1d': '40s', '3d': '40s' },
    '30d': '40s',
  },
  holds: { '10s': '5s', '15s': '5s', '30s': '5s', '1m': '10s', '2m': '10s', '5m': '10s' },
  routes: {
    rest: { groupWait: '1s', groupInterval: '5s', repeatInterval: '5m' },
    urgent: { groupWait: '1s', groupInterval: '5s', repeatInterval: '5m' },
    deadMan: { groupWait: '0s', groupInterval: '5s', repeatInterval: '5s' },
  },
});

/** A table by value: nobody changes the times of another. */
function freeze(windows: Windows): Windows {
  for (const part of [windows.ranges, windows.holds, windows.routes]) Object.freeze(part);
  for (const times of Object.values(windows.routes)) Object.freeze(times);
  return Object.freeze(windows);
}
