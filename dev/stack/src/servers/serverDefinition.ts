/** The definition of a server for the launcher: a command inside a root folder, its files, and when it is ready. */
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import type { StackPorts } from '../ports.ts';
import { SERVER_USER_ID } from '../root/enterRoot.ts';
import type { Credentials } from './credentials.ts';

export type ServerName =
  | 'rabbitmq'
  | 'postgresql'
  | 'gateway'
  | 'redis'
  | 'prometheus'
  | 'alertmanager';

/** In the order in which they start; they stop in reverse order. */
export const SERVER_NAMES: readonly ServerName[] = [
  'rabbitmq',
  'postgresql',
  'gateway',
  'redis',
  'alertmanager',
  'prometheus',
];

/** Redis serves the benchmark of other job systems only, so a stack has it only where the caller names it. */
export const DEFAULT_SERVER_NAMES = SERVER_NAMES.filter((name) => name !== 'redis');

/** What the servers of one stack have in common. */
export interface StackSettings {
  /** Name of the stack. */
  readonly name: string;
  /** Folder of the stack on the host; servers see it as `/stack`. */
  readonly folder: string;
  readonly ports: StackPorts;
  /** Ports that only the stack itself uses: Erlang's name server and distribution. */
  readonly epmdPort: number;
  readonly distributionPort: number;
  /** Folder of the host with prometheus.yml, rules/ and alertmanager.yml; undefined: minimal ones. */
  readonly prometheusConfigFolder: string | undefined;
  /** Folder of the host with an initialised database, which is copied into a new stack. */
  readonly databaseTemplate: string | undefined;
  /** Settings of the broker's application `rabbit` that differ from its defaults, by name. */
  readonly brokerSettings: Readonly<Record<string, number>>;
  /** The broker's only user; undefined: the broker creates the user guest. */
  readonly brokerUser: Credentials | undefined;
  /** Undefined: Alertmanager requires no password. */
  readonly alertmanagerUser: Credentials | undefined;
}

export interface ServerDefinition {
  readonly name: ServerName;
  /** Its address; the folder of the socket if it does not listen on TCP. */
  readonly url: string;
  /** The program and its arguments as seen inside the root folder. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** The server that must be ready before this one starts; this one would end without it. */
  readonly startsAfter?: ServerName;
  /** Ports that must be free before the start. */
  readonly listensOn: readonly (keyof StackPorts)[];
  /** Writes configuration; runs before every start and must keep the data. */
  readonly prepare: () => Promise<void>;
  readonly ready: (pid: number) => Promise<boolean>;
  /** Milliseconds from start to ready. */
  readonly deadlineMs: number;
  readonly stopSignal: NodeJS.Signals;
}

const OWNER_ONLY = 0o700;

/**
 * Makes a folder that only the servers may read and write: it holds data, sockets or secrets. An existing folder keeps
 * its content and is closed to others.
 */
export async function makeServerFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: OWNER_ONLY });
  await chmod(path, OWNER_ONLY);
  await giveToServer(path);
}

/** Writes a file that the servers own, since some files (Erlang's cookie) are refused when another user owns them. */
export async function writeServerFile(path: string, text: string, mode = 0o644): Promise<void> {
  await writeFile(path, text, { mode });
  await giveToServer(path);
}

/** Makes the server's user the owner. Without root the caller appears to the server as that user, so nothing changes. */
export async function giveToServer(path: string): Promise<void> {
  if (process.getuid?.() === 0) await chown(path, SERVER_USER_ID, SERVER_USER_ID);
}
