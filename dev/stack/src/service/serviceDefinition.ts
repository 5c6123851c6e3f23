/**
 * What a service is to the launcher: a command inside a root folder, its files, and how it shows it
 * is ready.
 */
import type { StackPorts } from '../ports.ts';
import type { Login } from './login.ts';

export type ServiceName = 'rabbitmq' | 'postgresql' | 'gateway' | 'prometheus' | 'alertmanager';

/** In the order they start; they stop in the opposite one. */
export const SERVICE_NAMES: readonly ServiceName[] = [
  'rabbitmq',
  'postgresql',
  'gateway',
  'alertmanager',
  'prometheus',
];

/** What a service may know of the stack it belongs to. */
export interface StackPlace {
  /** Name of the stack. */
  readonly name: string;
  /** Folder of the stack on the host; services see it as `/stack`. */
  readonly folder: string;
  readonly ports: StackPorts;
  /** Ports only the stack itself uses: Erlang's name server and distribution. */
  readonly epmdPort: number;
  readonly distributionPort: number;
  /**
   * Folder of the host with prometheus.yml, rules/ and alertmanager.yml; undefined: minimal ones.
   */
  readonly prometheusConfigFolder: string | undefined;
  /** Folder of the host with an initialised database, copied into a new stack. */
  readonly databaseTemplate: string | undefined;
  /** Settings of the broker's application `rabbit` that differ from its own, by name. */
  readonly brokerSettings: Readonly<Record<string, number>>;
  /** The broker's only user; undefined: the broker makes guest, as it does by itself. */
  readonly brokerUser: Login | undefined;
  /** Undefined: Alertmanager asks for no password. */
  readonly alertmanagerUser: Login | undefined;
}

export interface ServiceDefinition {
  readonly name: ServiceName;
  /** Where others reach it; without a listener on TCP, the socket's place. */
  readonly url: string;
  /** The program and its arguments as seen inside the root folder. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Which service must be ready before; it would give up without. */
  readonly after?: ServiceName;
  /** Ports that must be free before the start, by the name a person can move them with. */
  readonly listensOn: readonly (keyof StackPorts)[];
  /** Writes configuration; runs before every start and must keep the data. */
  readonly prepare: () => Promise<void>;
  readonly ready: (pid: number) => Promise<boolean>;
  /** Milliseconds from start to ready. */
  readonly deadlineMs: number;
  readonly stopSignal: NodeJS.Signals;
}
