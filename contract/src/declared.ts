/** For `npm run topology`: the declaration that this environment asks for, and the native stack's broker. */
import { readFitTopology } from './readFitTopology.ts';

export default readFitTopology(process.env);
export const amqpUrl = 'amqp://guest:guest@127.0.0.1:12104';
export const managementUrl = 'http://guest:guest@127.0.0.1:12105';
