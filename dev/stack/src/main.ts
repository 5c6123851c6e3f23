/**
 * `npm run stack`: `up`, `down`, `status`, `logs`. Exit code 0; 1 with a message; 130 for a stop signal during the
 * start. `status` also exits with 1 when the stack does not run.
 */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import {
  defaultFolder,
  launcherIsAlive,
  readState,
  type StackUrls,
  stopStack,
  withoutLogin,
} from './launch/stackFolder.ts';
import { startStack } from './launch/startStack.ts';
import { identify, killProcessesOnFolder } from './process/processTable.ts';
import { INTERRUPTED_EXIT_CODE, stopOnSignal } from './process/stopOnSignal.ts';
import { alertmanagerFile } from './servers/alertmanager.ts';
import { brokerFile } from './servers/rabbitmq.ts';
import { DEFAULT_SERVER_NAMES } from './servers/serverDefinition.ts';
import { parseStackCommand, type StackCommand, USAGE } from './stackCommand.ts';
import { StackError } from './stackError.ts';

try {
  const command = parseStackCommand(process.argv.slice(2));
  switch (command.verb) {
    case 'help':
      console.log(USAGE);
      break;
    case 'up':
      await up(command);
      break;
    case 'down':
      await down(command);
      break;
    case 'status':
      status(command);
      break;
    case 'logs':
      await logs(command);
      break;
  }
} catch (error) {
  // The message of a StackError has the remedy; any other error is a defect, which needs its stack trace.
  console.error(error instanceof StackError ? error.message : error);
  process.exitCode =
    error instanceof StackError && error.code === 'STOPPED' ? INTERRUPTED_EXIT_CODE : 1;
}

/**
 * Starts the servers and keeps them until a stop signal.
 * @throws StackError if they do not start, or a server is given up; `STOPPED` for a signal during the start.
 */
async function up({ name, brokerSuite }: StackCommand): Promise<void> {
  const startedAt = performance.now();
  const log = (line: string): void => {
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6);
    console.error(`${seconds} s  ${line}`);
  };
  const signal = stopOnSignal(() => killProcessesOnFolder(defaultFolder(name)));
  const stopped = once(signal, 'abort').then(() => {
    log('stopping');
  });
  const { promise: givenUp, resolve: onGiveUp } = Promise.withResolvers<StackError>();
  const stack = await startStack({
    name,
    brokerSuite,
    hasPasswords: true,
    onProgress: log,
    signal,
    restarts: { onGiveUp },
  });
  printUrls(name, stack);
  console.error('Ctrl-C stops everything.');
  const failure = await Promise.race([stopped, givenUp]);
  await stack.stop();
  if (failure !== undefined) throw failure;
}

async function down({ name, purge }: StackCommand): Promise<void> {
  const wasRunning = await stopStack(defaultFolder(name), { purge });
  const result = wasRunning ? 'is stopped' : 'was not running';
  console.log(`stack ${name} ${result}${purge ? '; its data is deleted' : ''}`);
}

function status({ name, json }: StackCommand): void {
  const state = readState(defaultFolder(name));
  const hasLauncher = state !== undefined && launcherIsAlive(state);
  // A stack that still starts does not count as running: scripts call this before they use it.
  const running = hasLauncher && state.urls !== undefined;
  if (!running) process.exitCode = 1;
  if (json) {
    const urls = running ? state.urls : undefined;
    const servers = running ? state.servers : [];
    console.log(JSON.stringify({ name, running, urls, servers }, undefined, 2));
    return;
  }
  if (!running) {
    const starting = hasLauncher ? `is starting, launcher pid ${state.launcher.pid}` : undefined;
    console.log(`stack ${name} ${starting ?? 'does not run'}`);
    return;
  }
  console.log(`stack ${name} runs, launcher pid ${state.launcher.pid}`);
  for (const server of state.servers) {
    const isGone = identify(server.pid).startTicks === undefined;
    const pid = isGone ? 'gone' : `pid ${server.pid}`;
    console.log(`${server.name.padEnd(13)} ${pid.padEnd(12)} ${server.url}`);
  }
  printUrls(name, state.urls);
}

/** Prints the logs with `tail`, which follows several files and notices when they are replaced. */
async function logs({ name, server, follow }: StackCommand): Promise<void> {
  const folder = join(defaultFolder(name), 'logs');
  const names = server === undefined ? DEFAULT_SERVER_NAMES : [server];
  const paths = names.map((each) => join(folder, `${each}.log`)).filter((path) => existsSync(path));
  if (paths.length === 0) throw new StackError('COMMAND_FAILED', `no logs in ${folder}`);
  const options = follow ? ['--lines=100', '--follow=name'] : ['--lines=100'];
  await execa('tail', [...options, ...paths], { stdio: 'inherit', reject: false });
}

/** Prints the addresses that exist, without passwords, and the files that hold the passwords. */
function printUrls(name: string, urls: StackUrls): void {
  const print = (label: string, text: string): void => {
    console.log(`${label.padEnd(22)} ${text}`);
  };
  const labels = {
    AMQP: urls.amqpUrl,
    'RabbitMQ management': urls.managementUrl,
    'RabbitMQ metrics': urls.brokerMetricsUrl,
    MongoDB: urls.mongodbUrl,
    Prometheus: urls.prometheusUrl,
    Alertmanager: urls.alertmanagerUrl,
  };
  for (const [label, url] of Object.entries(labels))
    if (url !== undefined) print(label, withoutLogin(url));
  const folder = defaultFolder(name);
  // Only the stack's own broker has an address of metrics, and only that one has a password file.
  const ownBroker = urls.brokerMetricsUrl !== undefined;
  if (ownBroker && existsSync(brokerFile(folder)))
    print('RabbitMQ password', `in ${brokerFile(folder)}`);
  if (urls.alertmanagerUrl !== undefined && existsSync(alertmanagerFile(folder)))
    print('Alertmanager password', `in ${alertmanagerFile(folder)}`);
}
