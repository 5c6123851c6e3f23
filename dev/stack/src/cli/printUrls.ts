/** The addresses of a stack, one per line. */
import { existsSync } from 'node:fs';
import { defaultFolder, type StackUrls } from '../launch/stackState.ts';
import { withoutLogin } from '../launch/withoutLogin.ts';
import { alertmanagerFile } from '../service/alertmanagerUser.ts';
import { brokerFile } from '../service/brokerUser.ts';

/**
 * Prints the addresses that exist, none with a password.
 * @param name of the stack, whose files with passwords are named.
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
    if (url !== undefined) console.log(`${label.padEnd(22)} ${withoutLogin(url)}`);
  const folder = defaultFolder(name);
  const files: readonly (readonly [string, string | undefined, string])[] = [
    // A broker that was given has no metrics of ours.
    ['RabbitMQ password', urls.brokerMetricsUrl, brokerFile(folder)],
    ['Alertmanager password', urls.alertmanagerUrl, alertmanagerFile(folder)],
  ];
  for (const [label, url, file] of files)
    if (url !== undefined && existsSync(file)) console.log(`${label.padEnd(22)} in ${file}`);
}
