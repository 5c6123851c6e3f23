/** Whether a broker answers the AMQP 0-9-1 handshake. */
import { exchange } from './exchange.ts';

const PROTOCOL_HEADER = Buffer.from('AMQP\0\0\x09\x01', 'latin1');

const METHOD_FRAME = 1;
const FRAME_HEADER_BYTES = 7;

/** connection.start: class 10, method 10. */
const CONNECTION_START = 0x000a000a;

/**
 * Opens a connection, sends the protocol header and expects `connection.start`. An open port alone
 * says little: the broker opens it while it still boots.
 * @throws Error when nobody listens or nothing comes back.
 */
export async function answersAmqp(port: number): Promise<boolean> {
  const answer = await exchange(
    port,
    PROTOCOL_HEADER,
    ({ length }) => length >= FRAME_HEADER_BYTES + 4,
  );
  return answer[0] === METHOD_FRAME && answer.readUInt32BE(FRAME_HEADER_BYTES) === CONNECTION_START;
}
