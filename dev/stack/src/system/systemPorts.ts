/** The ports of monolith and coaches on loopback. */
import { freePortList } from '../ports.ts';

export interface CoachPorts {
  readonly coach: number;
  readonly coachMetrics: number;
}

export interface SystemPorts extends CoachPorts {
  readonly monolith: number;
  readonly monolithMetrics: number;
  /** Of coaches beyond the first, in their order; where it ends, they take free ones. */
  readonly moreCoaches?: readonly CoachPorts[];
}

export async function freeSystemPorts(): Promise<SystemPorts> {
  const [monolith = 0, monolithMetrics = 0] = await freePortList(2);
  return { monolith, monolithMetrics, ...(await freeCoachPorts()) };
}

export async function freeCoachPorts(): Promise<CoachPorts> {
  const [coach = 0, coachMetrics = 0] = await freePortList(2);
  return { coach, coachMetrics };
}
