/** The ports that FIT listens on, all on 127.0.0.1: documented ones for people, free ones for tests. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { holdLock } from './process/holdLock.ts';
import { StackError } from './stackError.ts';

/** TCP ports on loopback. `grafana` is used under compose only; the native stack has no Grafana. */
export interface StackPorts {
  monolith: number;
  coach: number;
  amqp: number;
  management: number;
  mongodb: number;
  prometheus: number;
  alertmanager: number;
  grafana: number;
  brokerMetrics: number;
  monolithMetrics: number;
  coachMetrics: number;
  cronMetrics: number;
}

/** Ports of one coach. */
export type CoachPorts = Readonly<Pick<StackPorts, 'coach' | 'coachMetrics'>>;

/** Ports of monolith and coaches. */
export interface SystemPorts
  extends Readonly<Pick<StackPorts, 'monolith' | 'monolithMetrics' | 'coach' | 'coachMetrics'>> {
  /** Ports of coaches beyond the first, in their order; coaches beyond the list take free ones. */
  readonly moreCoaches?: readonly CoachPorts[];
}

const DOCUMENTED_PORTS: Readonly<StackPorts> = Object.freeze({
  monolith: 12100,
  coach: 12101,
  amqp: 12104,
  management: 12105,
  mongodb: 12106,
  prometheus: 12107,
  alertmanager: 12108,
  grafana: 12109,
  brokerMetrics: 12110,
  monolithMetrics: 12111,
  coachMetrics: 12112,
  cronMetrics: 12115,
});

const PORT_NAMES = Object.keys(DOCUMENTED_PORTS) as (keyof StackPorts)[];

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The documented ports with `FIT_PORT_<UPPER_SNAKE>` applied, for example `FIT_PORT_BROKER_METRICS`.
 * @throws StackError `PORT_INVALID`, listing every wrong variable at once.
 */
export function portsFrom(environment: Environment): StackPorts {
  const { ports, findings } = readPorts(environment);
  if (findings.length > 0) throw new StackError('PORT_INVALID', findings.join('\n'));
  return ports;
}

/** As `portsFrom`, but a wrong variable leaves its port as documented. */
function readPorts(environment: Environment): { ports: StackPorts; findings: string[] } {
  const ports = { ...DOCUMENTED_PORTS };
  const findings: string[] = [];
  for (const name of PORT_NAMES) {
    const variable = portVariable(name);
    const text = environment[variable];
    if (text === undefined || text === '') continue;
    const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
    if (port >= 1 && port <= 65_535) ports[name] = port;
    else
      findings.push(
        `${variable}='${text}' must be a port from 1 to 65535, or unset it for ${ports[name]}`,
      );
  }
  return { ports, findings };
}

/**
 * The ports of this process: the documented ones, moved by its environment. A program that starts servers calls
 * `portsFrom` first: an error here, while modules are loaded, would hide every other finding.
 */
export const DEFAULT_PORTS: StackPorts = readPorts(process.env).ports;

/** @returns the environment variable that moves a port. */
export function portVariable(name: keyof StackPorts): string {
  return `FIT_PORT_${name.replace(/[A-Z]/g, (capital) => `_${capital}`).toUpperCase()}`;
}

/** @returns free ports for everything, for tests and for several stacks on one machine. */
export async function freePorts(): Promise<StackPorts> {
  const free = await freePortList(PORT_NAMES.length);
  return Object.fromEntries(
    PORT_NAMES.map((name, index) => [name, free[index]]),
  ) as unknown as StackPorts;
}

export async function freeSystemPorts(): Promise<SystemPorts> {
  const [monolith = 0, monolithMetrics = 0, coach = 0, coachMetrics = 0] = await freePortList(4);
  return { monolith, monolithMetrics, coach, coachMetrics };
}

export async function freeCoachPorts(): Promise<CoachPorts> {
  const [coach = 0, coachMetrics = 0] = await freePortList(2);
  return { coach, coachMetrics };
}

/**
 * The range of reserved ports: above the documented ports and below Linux's ephemeral range (32768 on; ip-sysctl), from
 * which the kernel takes ports of outgoing connections. A port of that range, such as port 0 gives, can be taken before
 * its server listens.
 */
const RESERVED_PORTS = { from: 15_000, below: 32_000 } as const;
const RESERVE_ATTEMPTS = 1_000;

/**
 * `count` distinct free ports. This process reserves each of them by a lock until it ends, so that no other process that
 * calls this gets the same port before a server listens on it. `get-port` reserves ports within one process only.
 * @throws StackError `NO_FREE_PORT`.
 */
export async function freePortList(count: number): Promise<number[]> {
  const ports: number[] = [];
  for (let attempts = 0; ports.length < count; attempts += 1) {
    if (attempts === RESERVE_ATTEMPTS)
      throw new StackError(
        'NO_FREE_PORT',
        `${attempts} ports from ${RESERVED_PORTS.from} on were taken; stop the programs that listen there`,
      );
    const port = randomInt(RESERVED_PORTS.from, RESERVED_PORTS.below);
    if (await reservePort(port)) ports.push(port);
  }
  return ports;
}

/**
 * Takes the lock before it binds the port to see whether it is free: without the lock, this short bind could make the
 * server of another process, which has reserved the port, fail to start.
 */
async function reservePort(port: number): Promise<boolean> {
  const lock = await holdLock(`port ${port}`);
  if (lock === undefined) return false;
  if (!(await portIsTaken(port))) return true;
  lock.release();
  return false;
}

/** @returns whether a program listens on the loopback port already. */
export async function portIsTaken(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ port, host: '127.0.0.1' });
    await once(server, 'listening');
    server.close();
    await once(server, 'close');
    return false;
  } catch {
    return true;
  }
}
