/** Everything from the cache that a set of services needs, built side by side where possible. */
import type { StepOptions } from '../process/runCommand.ts';
import { checkHost, type EntryMode } from '../root/checkHost.ts';
import { ensureDatabaseTemplate } from '../root/ensureDatabaseTemplate.ts';
import { ensureGateway } from '../root/ensureGateway.ts';
import { ensureRoot } from '../root/ensureRoot.ts';
import { type BrokerSuite, brokerRoot, MAIN_ROOT } from '../root/recipe.ts';
import type { ServiceName } from '../service/serviceDefinition.ts';

export interface Roots {
  readonly mode: EntryMode;
  /** The root folder a service runs in. */
  readonly rootOf: (service: ServiceName) => string;
  readonly gateway: string | undefined;
  readonly databaseTemplate: string | undefined;
}

/**
 * Builds what is missing.
 * @throws StackError `HOST_UNSUPPORTED`, `BUILD_FAILED`, `FOLDER_UNUSABLE`; the reason of the signal where it was aborted.
 */
export async function prepareRoots(
  services: readonly ServiceName[],
  brokerSuite: BrokerSuite,
  step: StepOptions,
): Promise<Roots> {
  const mode = await checkHost();
  const brokerRecipe = brokerRoot(brokerSuite);
  const needsBroker = services.includes('rabbitmq');
  const needsMain = brokerRecipe === MAIN_ROOT || services.some((name) => name !== 'rabbitmq');
  const built = await allOrFirstFailure([
    needsMain ? ensureRoot(MAIN_ROOT, step) : undefined,
    services.includes('gateway') ? ensureGateway(step) : undefined,
    needsBroker && brokerRecipe !== MAIN_ROOT ? ensureRoot(brokerRecipe, step) : undefined,
  ]);
  const [main = '', gateway, ofBroker = main] = built;
  return {
    mode,
    rootOf: (service) => (service === 'rabbitmq' ? ofBroker : main),
    gateway,
    databaseTemplate: services.includes('postgresql')
      ? await ensureDatabaseTemplate(main, step)
      : undefined,
  };
}

/** Waits for all even when one fails, so that no builder goes on behind the caller's back. */
async function allOrFirstFailure<T>(
  promises: readonly (Promise<T> | undefined)[],
): Promise<(T | undefined)[]> {
  const results = await Promise.allSettled(promises.map((promise) => Promise.resolve(promise)));
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
