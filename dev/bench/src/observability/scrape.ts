/** What Prometheus does to a service: reads its metrics at once and every five seconds, until it is stopped. */
import type { System } from '@fit/stack';

const INTERVAL_MS = 5_000;

export interface Scraping {
  /** @returns the size of the largest page, in bytes; 0 says that nothing was exported. */
  stop(): Promise<number>;
}

export function scrape({ monolith, coaches }: System): Scraping {
  const urls = [monolith, ...coaches].map(({ metricsUrl }) => metricsUrl);
  let largest = 0;
  let last: Promise<unknown> = Promise.resolve();
  const scrapeAll = () => {
    last = Promise.all(
      urls.map(async (url) => {
        const text = await (await fetch(url)).text();
        largest = Math.max(largest, text.length);
      }),
    );
  };
  scrapeAll();
  const timer = setInterval(scrapeAll, INTERVAL_MS);
  return {
    stop: async () => {
      clearInterval(timer);
      await last;
      return largest;
    },
  };
}
