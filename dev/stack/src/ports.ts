/** The ports FIT listens on, all on 127.0.0.1: fixed ones for people, free ones for tests. */
import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:net';
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

/**
 * The documented ports with `FIT_PORT_<UPPER_SNAKE>` applied, for example
 * `FIT_PORT_BROKER_METRICS`.
 * @throws StackError `PORT_INVALID`, listing every bad variable at once.
 */
export function portsFrom(environment: Environment): StackPorts {
  const { ports, findings } = checkPorts(environment);
  if (findings.length > 0) throw new StackError('PORT_INVALID', findings.join('\n'));
  return ports;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** As `portsFrom`; a variable at fault leaves its port where it is documented. */
function checkPorts(environment: Environment): { ports: StackPorts; findings: string[] } {
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
 * The ports of this process: documented ones, moved by the environment it was started with. Whatever starts a server
 * calls `portsFrom` first: an error here, while modules are still loading, would hide every other finding.
 */
export const DEFAULT_PORTS: StackPorts = checkPorts(process.env).ports;

/** The environment variable that moves a port. */
export function portVariable(name: keyof StackPorts): string {
  return `FIT_PORT_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/** Free ports for every service, for tests and for several stacks on one machine. */
export async function freePorts(): Promise<StackPorts> {
  const free = await freePortList(PORT_NAMES.length);
  return Object.fromEntries(
    PORT_NAMES.map((name, index) => [name, free[index]]),
  ) as unknown as StackPorts;
}

/**
 * Above the documented ports and below Linux's ephemeral range (32768 on; ip-sysctl): the kernel gives none of these
 * to an outgoing connection while its server still starts. Port 0 would take from that range, and did collide.
 */
const LENT_PORTS = { from: 15_000, below: 32_000 } as const;
const LEND_TRIES = 1_000;

/**
 * `count` distinct free loopback ports. This process holds each of them by a lock until it ends, so that no other
 * process that asks here gets the same one before a server listens on it.
 * @throws StackError `NO_FREE_PORT`.
 */
export async function freePortList(count: number): Promise<number[]> {
  const ports: number[] = [];
  for (let tries = 0; ports.length < count; tries += 1) {
    if (tries === LEND_TRIES)
      throw new StackError(
        'NO_FREE_PORT',
        `${tries} ports from ${LENT_PORTS.from} on were taken; stop what listens there`,
      );
    const port = randomInt(LENT_PORTS.from, LENT_PORTS.below);
    if (await isLent(port)) ports.push(port);
  }
  return ports;
}

/** Locked first, then tried: who does not get the lock may not listen there even for a moment. */
async function isLent(port: number): Promise<boolean> {
  const lock = await holdLock(`port ${port}`);
  if (lock === undefined) return false;
  if (!(await portIsTaken(port))) return true;
  lock.release();
  return false;
}

/** Whether somebody listens on the loopback port already. */
export async function portIsTaken(port: number): Promise<boolean> {
  try {
    await close(await listen(port));
    return false;
  } catch {
    return true;
  }
}

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port, host: '127.0.0.1' }, () => {
      resolve(server);
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
  });
}
