/** URLs as they may be shown and kept where others read. */
import type { StackUrls } from './stackState.ts';

/** Pure. @returns the URL without user and password; also of several hosts, as MongoDB has them. */
export function withoutLogin(url: string): string {
  return url.replace(/\/\/[^/?#]*@/, '//');
}

/** Pure. @returns the addresses, none with user or password. */
export function withoutLogins(urls: StackUrls): StackUrls {
  const optional = (url: string | undefined): string | undefined =>
    url === undefined ? undefined : withoutLogin(url);
  return {
    amqpUrl: withoutLogin(urls.amqpUrl),
    managementUrl: optional(urls.managementUrl),
    mongodbUrl: withoutLogin(urls.mongodbUrl),
    prometheusUrl: optional(urls.prometheusUrl),
    alertmanagerUrl: optional(urls.alertmanagerUrl),
    brokerMetricsUrl: optional(urls.brokerMetricsUrl),
  };
}
