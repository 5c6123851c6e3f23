/** Environment → configuration of a service. Pure; every fault is found at once, and none is clamped. */
export interface ServiceConfig {
  readonly amqpUrl: string;
  /** Undefined: limits are queue arguments instead of policies. */
  readonly managementUrl: string | undefined;
  readonly mongodbUrl: string;
  readonly host: string;
  readonly port: number;
  readonly metricsPort: number;
  /** Whose day `today` is: that of the daily run. */
  readonly timezone: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Names each variable with its value and what would be right. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** Reads variables one by one and remembers every fault. */
export class EnvironmentReader {
  readonly #env: Environment;
  readonly #faults: string[] = [];

  constructor(env: Environment) {
    this.#env = env;
  }

  text(name: string, fallback: string): string {
    return this.optional(name) ?? fallback;
  }

  /** An empty variable counts as unset, since compose passes those. */
  optional(name: string): string | undefined {
    const text = this.#env[name];
    return text === '' ? undefined : text;
  }

  number(
    name: string,
    fallback: number,
    bounds: { min: number; max: number; isWhole?: boolean },
  ): number {
    const text = this.optional(name);
    const value = text === undefined ? fallback : Number(text);
    const isInside = value >= bounds.min && value <= bounds.max;
    if (!isInside || (bounds.isWhole !== false && !Number.isInteger(value)))
      this.#faults.push(
        `${name}='${text ?? ''}' must be a number from ${bounds.min} to ${bounds.max}`,
      );
    return value;
  }

  url(name: string, fallback: string, protocols: readonly string[]): string {
    const text = this.text(name, fallback);
    if (!URL.canParse(text) || !protocols.includes(new URL(text).protocol))
      this.#faults.push(`${name} must be a URL with ${protocols.join(' or ')}`);
    return text;
  }

  /** @returns the variable, or the first choice where it is unset. */
  choice<Choice extends string>(name: string, choices: readonly [Choice, ...Choice[]]): Choice {
    const text = this.text(name, choices[0]);
    const choice = choices.find((candidate) => candidate === text);
    if (choice === undefined) this.refuse(`${name}='${text}' is none of ${choices.join(', ')}`);
    return choice ?? choices[0];
  }

  /** @returns the time zone of the daily run, by its IANA name; default UTC. */
  timezone(): string {
    const name = this.text('CRON_TIMEZONE', 'UTC');
    try {
      new Intl.DateTimeFormat('en', { timeZone: name });
    } catch {
      this.refuse(`CRON_TIMEZONE='${name}' is no IANA time zone, such as Europe/Berlin`);
    }
    return name;
  }

  refuse(fault: string): void {
    this.#faults.push(fault);
  }

  /** @throws ConfigError listing every fault; the process stops at start. */
  finish(): void {
    if (this.#faults.length > 0) throw new ConfigError(this.#faults.join('; '));
  }
}

export function readServiceConfig(
  reader: EnvironmentReader,
  ports: { readonly port: number; readonly metricsPort: number },
): ServiceConfig {
  const anyPort = { min: 0, max: 65_535 };
  return {
    amqpUrl: reader.url('AMQP_URL', 'amqp://guest:guest@127.0.0.1:12104', ['amqp:', 'amqps:']),
    managementUrl: reader.optional('AMQP_MANAGEMENT_URL'),
    mongodbUrl: reader.url('MONGODB_URL', 'mongodb://127.0.0.1:12106/fit', [
      'mongodb:',
      'mongodb+srv:',
    ]),
    host: reader.text('HOST', '127.0.0.1'),
    port: reader.number('PORT', ports.port, anyPort),
    metricsPort: reader.number('METRICS_PORT', ports.metricsPort, anyPort),
    timezone: reader.timezone(),
  };
}
