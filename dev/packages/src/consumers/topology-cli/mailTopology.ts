/** What a user of the command `topology` writes. */
import { declareTopology } from '@fit/topology';

export default declareTopology({
  exchange: 'mail',
  kinds: { send: { key: 'mail.send', queue: 'outbox', tiers: ['5s', '30s', '2m'] } },
});
