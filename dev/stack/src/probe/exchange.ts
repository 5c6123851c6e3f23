/** One question and its answer over a fresh TCP connection to loopback. */
import { connect } from 'node:net';

const ANSWER_DEADLINE_MS = 2000;

/** Any answer we ask for is far smaller; a server that keeps talking is not the one we expect. */
const ANSWER_LIMIT_BYTES = 1024 * 1024;

/**
 * Sends the question and collects the answer until it is whole.
 * @param isWhole told all bytes so far.
 * @throws Error when nobody listens, the connection ends early or two seconds pass.
 */
export function exchange(
  port: number,
  question: Uint8Array,
  isWhole: (answer: Buffer) => boolean,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let answer = Buffer.alloc(0);
    const socket = connect({ port, host: '127.0.0.1' }, () => {
      socket.write(question);
    });
    const fail = (reason: string): void => {
      socket.destroy();
      reject(new Error(`port ${port}: ${reason}`));
    };
    socket.setTimeout(ANSWER_DEADLINE_MS, () => {
      fail('no answer');
    });
    socket.on('error', (error) => {
      fail(error.message);
    });
    socket.on('close', () => {
      fail('closed early');
    });
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      if (isWhole(answer)) {
        resolve(answer);
        socket.destroy();
      } else if (answer.length > ANSWER_LIMIT_BYTES) fail('answer too long');
    });
  });
}
