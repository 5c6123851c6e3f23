/** The addresses of a stack, one per line. */
import { existsSync } from 'node:fs';
import { defaultFolder, type StackUrls } from '../launch/stackState.ts';
import { withoutLogin } from '../launch/withoutLogin.ts';
import { brokerFile } from '../service/brokerUser.ts';

/**
 * Prints the addresses that exist, none with a password.
 * @param name of the stack, whose file with the broker's password is named.
 */
export function printUrls(name: string, urls: StackUrls): void {
  const lines: readonly (readonly [string, string | undefined])[] = [
    ['AMQP', urls.amqpUrl],
    ['RabbitMQ management', urls.managementUrl],
    ['RabbitMQ metrics', urls.brokerMetricsUrl],
    ['MongoDB', urls.mongodbUrl],
    ['Prometheus', urls.prometheusUrl],
    ['Alertmanager', urls.alertmanagerUrl],
  ];
  for (const [label, url] of lines)
    if (url !== undefined) console.log(`${label.padEnd(20)} ${withoutLogin(url)}`);
  const file = brokerFile(defaultFolder(name));
  // A broker that was given has no metrics of ours.
  if (urls.brokerMetricsUrl !== undefined && existsSync(file))
    console.log(`${'RabbitMQ password'.padEnd(20)} in ${file}`);
}
