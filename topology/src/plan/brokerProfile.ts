/** What a plan depends on: the broker's version, and whether its management API can be used. */
export interface BrokerProfile {
  /** Such as '4.3.6'. */
  readonly version: string;
  /** True if the management API can be used: limits are policies then, which can be changed while everything runs. */
  readonly hasManagement: boolean;
}

/** @returns negative, zero or positive, as the first version is older, equal or newer. */
export function compareVersions(first: string, second: string): number {
  const [a, b] = [first, second].map((version) => version.split(/[.+-]/).map(Number));
  for (let index = 0; index < 3; index += 1) {
    const difference = (a?.[index] ?? 0) - (b?.[index] ?? 0);
    if (difference !== 0 && !Number.isNaN(difference)) return difference;
  }
  return 0;
}

/** @returns true if the broker has the version or a newer one. */
export function isAtLeast(broker: BrokerProfile, version: string): boolean {
  return compareVersions(broker.version, version) >= 0;
}

/**
 * @returns the header with the reason of the last death. Brokers before 3.13 write only that of the first death, which serves
 * as well: a message that comes back from a tier was rejected first (RabbitMQ, dead letter exchanges).
 */
export function reasonHeader(broker: BrokerProfile): string {
  return isAtLeast(broker, '3.13.0') ? 'x-last-death-reason' : 'x-first-death-reason';
}
