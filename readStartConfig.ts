/** What `npm start` reads from the environment, for itself and for what it starts: all checked before anything starts. */
import { readCoachConfig } from '@fit/coach/config';
import { ConfigError, type Environment, type FitDeclaration } from '@fit/contract';
import { readMonolithConfig } from '@fit/monolith/config';
import { type AlertReceivers, ReceiverError, readPages, readReceivers } from '@fit/prometheus';
import { portsFrom, StackError } from '@fit/stack';

export interface StartConfig {
  readonly declaration: FitDeclaration;
  readonly receivers: AlertReceivers;
  readonly runbookBase: string;
  /** Whose day is today, by IANA name. */
  readonly timezone: string;
  /** Undefined: it is made at the first start. */
  readonly adminToken: string | undefined;
  /** Given servers; undefined: they are started. */
  readonly amqpUrl: string | undefined;
  readonly mongodbUrl: string | undefined;
}

/** `npm start` sets these itself for every process that it starts, whatever they are. */
const OVERRIDDEN = ['HOST', 'PORT', 'METRICS_PORT', 'PROMETHEUS_URL', 'ALERTMANAGER_URL'] as const;

/**
 * Pure; starts nothing and asks nobody.
 * @throws ConfigError with every finding about every variable that `npm start` and its services read.
 */
export function readStartConfig(env: Environment): StartConfig {
  const inherited = { ...env };
  for (const name of OVERRIDDEN) Reflect.deleteProperty(inherited, name);
  const findings = new Set<string>();
  const attempt = <Value>(read: () => Value): Value | undefined => {
    try {
      return read();
    } catch (error) {
      if (error instanceof ConfigError || error instanceof ReceiverError)
        for (const finding of error.findings) findings.add(finding);
      else if (error instanceof StackError)
        for (const finding of error.message.split('\n')) findings.add(finding);
      else throw error;
      return undefined;
    }
  };
  const ports = attempt(() => portsFrom(env));
  const monolith = attempt(() => readMonolithConfig(inherited));
  const coach = attempt(() => readCoachConfig(inherited));
  const receivers = attempt(() => readReceivers(env));
  const statusPage = ports === undefined ? undefined : `http://localhost:${ports.monolith}`;
  const pages = attempt(() => readPages(env, statusPage));
  if (!monolith || !coach || !receivers || !pages || !ports) throw new ConfigError([...findings]);
  return {
    declaration: monolith.declaration,
    receivers,
    runbookBase: pages.runbookBase,
    timezone: monolith.timezone,
    adminToken: monolith.adminToken,
    amqpUrl: env['AMQP_URL'] ? monolith.amqpUrl : undefined,
    mongodbUrl: env['MONGODB_URL'] ? monolith.mongodbUrl : undefined,
  };
}
