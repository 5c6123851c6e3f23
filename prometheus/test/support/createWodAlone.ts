/** The declaration whose rules the cases of promtool are written for. */
import { fitTopology, type Profile } from '@fit/contract';
import type { Declaration } from '@fit/topology';

/** Rules are the same for every queue, and promtool takes four times as long with those of all kinds. */
export function createWodAlone(profile: Profile): Declaration {
  const every = fitTopology({ profile });
  return { ...every, kinds: [every.kind.createWod] };
}
