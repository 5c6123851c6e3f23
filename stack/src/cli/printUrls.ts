/** The addresses of a stack, one per line. */
import type { StackUrls } from '../launch/stackState.ts';

/** Prints the addresses that exist. */
export function printUrls(urls: StackUrls): void {
  const lines: readonly (readonly [string, string | undefined])[] = [
    ['AMQP', urls.amqpUrl],
    ['RabbitMQ management', urls.managementUrl],
    ['RabbitMQ metrics', urls.brokerMetricsUrl],
    ['MongoDB', urls.mongodbUrl],
    ['Prometheus', urls.prometheusUrl],
    ['Alertmanager', urls.alertmanagerUrl],
  ];
  for (const [label, url] of lines)
    if (url !== undefined) console.log(`${label.padEnd(20)} ${url}`);
}
