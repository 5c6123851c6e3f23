/**
 * A program of its own that attacks ports on this machine until it is killed: `attacker.ts PORT …`.
 *
 * The load does not depend on what the target answers: each kind of attack opens its connections at a fixed rate and
 * holds a fixed number of them, so that the same attack can be played against a bare sink.
 */
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';

interface AttackKind {
  readonly name: string;
  /** New connections in a second, to each port. */
  readonly perSecond: number;
  /** Held at a time, to each port; the oldest is given up for a new one. */
  readonly heldCount: number;
  readonly begin: (socket: Socket) => void;
  /** Once a second, for each held connection. */
  readonly goOn?: (socket: Socket) => void;
}

const TICK_MS = 100;

const post = (headers: readonly string[]): string =>
  ['POST /users HTTP/1.1', 'host: x', 'content-type: application/json', ...headers, '', ''].join(
    '\r\n',
  );
const BODY_START = `{"id":"${'x'.repeat(96_000 - 7)}`;
const MEGABYTE = Buffer.alloc(1024 * 1024, 'x');
/** 100 MB of zeros. */
const BOMB = gzipSync(Buffer.alloc(100 * 1024 * 1024));
const TINY_CHUNKS = '1\r\nx\r\n'.repeat(2_000);
const PIPELINE = 'GET /livez HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(200);

const KINDS: readonly AttackKind[] = [
  { name: 'idle', perSecond: 100, heldCount: 1_200, begin: () => undefined },
  {
    name: 'unfinished',
    perSecond: 20,
    heldCount: 200,
    begin: (socket) => socket.write(post(['content-length: 100000']) + BODY_START),
  },
  {
    name: 'oversized',
    perSecond: 2,
    heldCount: 10,
    begin: (socket) => {
      socket.write(post([`content-length: ${100 * MEGABYTE.length}`]));
      socket.write(MEGABYTE);
    },
    goOn: (socket) => socket.writableLength === 0 && socket.write(MEGABYTE),
  },
  {
    name: 'compressed',
    perSecond: 5,
    heldCount: 20,
    begin: (socket) => {
      socket.write(post(['content-encoding: gzip', `content-length: ${BOMB.length}`]));
      socket.write(BOMB);
    },
  },
  {
    name: 'chunked',
    perSecond: 5,
    heldCount: 100,
    begin: (socket) => socket.write(post(['transfer-encoding: chunked']) + TINY_CHUNKS),
  },
  {
    name: 'slow',
    perSecond: 20,
    heldCount: 300,
    begin: (socket) => socket.write('GET / HTTP/1.1\r\nhost: x\r\nx-slow: '),
    goOn: (socket) => socket.write('x'),
  },
  { name: 'pipelined', perSecond: 10, heldCount: 20, begin: (socket) => socket.write(PIPELINE) },
  {
    name: 'unread',
    perSecond: 10,
    heldCount: 100,
    begin: (socket) => {
      socket.pause();
      socket.write('GET /console/console.css HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(8));
    },
  },
];

for (const port of process.argv.slice(2).map(Number)) for (const kind of KINDS) attack(port, kind);

function attack(port: number, { perSecond, heldCount, begin, goOn }: AttackKind): void {
  const held = new Set<Socket>();
  let due = 0;
  const open = (): void => {
    const [oldest] = held;
    if (held.size >= heldCount && oldest !== undefined) {
      held.delete(oldest);
      oldest.destroy();
    }
    const socket = connect(port, '127.0.0.1', () => {
      begin(socket);
    });
    held.add(socket);
    // Being refused or cut is what a stranger must expect; a new connection takes its place.
    socket.on('error', () => undefined).on('close', () => held.delete(socket));
    socket.resume();
  };
  setInterval(() => {
    for (due += (perSecond * TICK_MS) / 1_000; due >= 1; due -= 1) open();
  }, TICK_MS);
  if (goOn !== undefined)
    setInterval(() => {
      for (const socket of held) if (socket.writable) goOn(socket);
    }, 1_000);
}
