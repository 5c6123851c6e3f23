/** The module that `npm run topology` loads: the declaration of this environment, and the broker of the native stack. */
import { readFitTopology } from './fitTopology.ts';
import { useNativeBroker } from './nativeBroker.ts';

const native: NodeJS.ProcessEnv = {};
useNativeBroker(native);

export default readFitTopology(process.env);
export const amqpUrl = native['AMQP_URL'] ?? 'amqp://guest:guest@127.0.0.1:12104';
export const managementUrl = native['AMQP_MANAGEMENT_URL'] ?? 'http://guest:guest@127.0.0.1:12105';
