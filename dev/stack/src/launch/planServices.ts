/** Which services a stack starts, and which it takes from the environment instead. */
import { SERVICE_NAMES, type ServiceName } from '../service/serviceDefinition.ts';

export interface ServicePlan {
  /** In starting order. */
  readonly start: readonly ServiceName[];
  /** The broker to use instead of one of ours. */
  readonly amqpUrl: string | undefined;
  readonly managementUrl: string | undefined;
  /** The database to use instead of ours. */
  readonly mongodbUrl: string | undefined;
}

/**
 * The plan for a set of wanted services.
 * @param wanted undefined means all. The gateway brings the database it stands before along.
 * @param environment `AMQP_URL`, `AMQP_MANAGEMENT_URL`, `MONGODB_URL`; empty counts as absent.
 */
export function planServices(
  wanted: readonly ServiceName[] | undefined,
  environment: NodeJS.ProcessEnv,
): ServicePlan {
  const amqpUrl = given(environment['AMQP_URL']);
  const mongodbUrl = given(environment['MONGODB_URL']);
  const names = new Set(wanted ?? SERVICE_NAMES);
  if (names.has('gateway')) names.add('postgresql');
  if (amqpUrl !== undefined) names.delete('rabbitmq');
  if (mongodbUrl !== undefined) {
    names.delete('postgresql');
    names.delete('gateway');
  }
  return {
    start: SERVICE_NAMES.filter((name) => names.has(name)),
    amqpUrl,
    managementUrl: amqpUrl === undefined ? undefined : given(environment['AMQP_MANAGEMENT_URL']),
    mongodbUrl,
  };
}

function given(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
