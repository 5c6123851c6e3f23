/**
 * A program that attacks ports on this machine until it is killed: `portAttacker.ts PORT …`.
 *
 * The load does not depend on the answers of the target: each kind of attack opens its connections at a fixed rate and
 * keeps a fixed number of them open, so that the same attack can be made on a sink.
 */
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';

interface AttackKind {
  readonly name: string;
  /** New connections to each port in a second. */
  readonly perSecond: number;
  /** Connections to each port that stay open; beyond it the oldest is closed for a new one. */
  readonly openCount: number;
  readonly onConnect: (socket: Socket) => void;
  /** Is called once a second for each open connection. */
  readonly everySecond?: (socket: Socket) => void;
}

const TICK_MS = 100;

const requestHead = (headers: readonly string[]): string =>
  ['POST /users HTTP/1.1', 'host: x', 'content-type: application/json', ...headers, '', ''].join(
    '\r\n',
  );
const BODY_START = `{"id":"${'x'.repeat(96_000 - 7)}`;
const MEGABYTE = Buffer.alloc(1024 * 1024, 'x');
/** A gzip bomb: 100 MB of zeros. */
const GZIP_BOMB = gzipSync(Buffer.alloc(100 * 1024 * 1024));
const TINY_CHUNKS = '1\r\nx\r\n'.repeat(2_000);
const PIPELINE = 'GET /livez HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(200);

const KINDS: readonly AttackKind[] = [
  { name: 'idle', perSecond: 100, openCount: 1_200, onConnect: () => undefined },
  {
    name: 'unfinished',
    perSecond: 20,
    openCount: 200,
    onConnect: (socket) => socket.write(requestHead(['content-length: 100000']) + BODY_START),
  },
  {
    name: 'oversized',
    perSecond: 2,
    openCount: 10,
    onConnect: (socket) => {
      socket.write(requestHead([`content-length: ${100 * MEGABYTE.length}`]));
      socket.write(MEGABYTE);
    },
    everySecond: (socket) => socket.writableLength === 0 && socket.write(MEGABYTE),
  },
  {
    name: 'compressed',
    perSecond: 5,
    openCount: 20,
    onConnect: (socket) => {
      socket.write(requestHead(['content-encoding: gzip', `content-length: ${GZIP_BOMB.length}`]));
      socket.write(GZIP_BOMB);
    },
  },
  {
    name: 'chunked',
    perSecond: 5,
    openCount: 100,
    onConnect: (socket) => socket.write(requestHead(['transfer-encoding: chunked']) + TINY_CHUNKS),
  },
  {
    name: 'slow',
    perSecond: 20,
    openCount: 300,
    onConnect: (socket) => socket.write('GET / HTTP/1.1\r\nhost: x\r\nx-slow: '),
    everySecond: (socket) => socket.write('x'),
  },
  {
    name: 'pipelined',
    perSecond: 10,
    openCount: 20,
    onConnect: (socket) => socket.write(PIPELINE),
  },
  {
    name: 'unread',
    perSecond: 10,
    openCount: 100,
    onConnect: (socket) => {
      socket.pause();
      socket.write('GET /console/console.css HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(8));
    },
  },
];

for (const port of process.argv.slice(2).map(Number)) for (const kind of KINDS) attack(port, kind);

function attack(port: number, { perSecond, openCount, onConnect, everySecond }: AttackKind): void {
  const sockets = new Set<Socket>();
  let dueCount = 0;
  const open = (): void => {
    const [oldest] = sockets;
    if (sockets.size >= openCount && oldest !== undefined) {
      sockets.delete(oldest);
      oldest.destroy();
    }
    const socket = connect(port, '127.0.0.1', () => {
      onConnect(socket);
    });
    sockets.add(socket);
    // The target may refuse or close a connection at any time; a new one replaces it.
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    socket.resume();
  };
  setInterval(() => {
    for (dueCount += (perSecond * TICK_MS) / 1_000; dueCount >= 1; dueCount -= 1) open();
  }, TICK_MS);
  if (everySecond !== undefined)
    setInterval(() => {
      for (const socket of sockets) if (socket.writable) everySecond(socket);
    }, 1_000);
}
