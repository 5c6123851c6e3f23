/** The committed renditions that docker-compose.yml mounts, one folder per profile. */
import { fitTopology, PROFILES, type Profile } from '@fit/contract';
import { COMPOSE_TARGETS } from '../config/targets.ts';
import type { MonitoringOptions } from './renderMonitoringConfig.ts';

export interface Rendition {
  /** Also the folder's name below `prometheus/generated`: compose mounts the one that FIT_PROFILE names. */
  readonly profile: Profile;
  readonly options: MonitoringOptions;
}

/** With rules of one profile only, the other would show a wrong fill: its limit is a hundredth. */
export const COMPOSE_RENDITIONS: readonly Rendition[] = PROFILES.map((profile) => ({
  profile,
  options: { declaration: fitTopology({ profile }), targets: COMPOSE_TARGETS },
}));
