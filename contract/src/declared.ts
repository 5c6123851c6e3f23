/** For `npm run topology`: the declaration that this environment asks for, and the native stack's broker. */
import { useNativeBroker } from './nativeBroker.ts';
import { readFitTopology } from './readFitTopology.ts';

const native: NodeJS.ProcessEnv = {};
useNativeBroker(native);

export default readFitTopology(process.env);
export const amqpUrl = native['AMQP_URL'] ?? 'amqp://guest:guest@127.0.0.1:12104';
export const managementUrl = native['AMQP_MANAGEMENT_URL'] ?? 'http://guest:guest@127.0.0.1:12105';
