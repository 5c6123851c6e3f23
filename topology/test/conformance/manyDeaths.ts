/** An x-death header longer than amqplib would send, encoded as RabbitMQ does it. */

/** 1,000 of these records are 117 kB; one frame takes 128. */
const TIMESTAMP_S = 1_700_000_000n;

/** @returns a field table with that many well-formed deaths, each in a queue of its own. */
export function manyDeaths(count: number): Buffer {
  const records = Array.from({ length: count }, (_, index) =>
    table([
      field('queue', longText(`q${String(index).padStart(3, '0')}`)),
      field('reason', longText('expired')),
      field('count', tagged('l', number64(1n))),
      field('exchange', longText('jobs')),
      field('time', tagged('T', number64(TIMESTAMP_S))),
      field('routing-keys', tagged('A', sized(longText('job.one')))),
    ]),
  );
  return field('x-death', tagged('A', sized(Buffer.concat(records))));
}

function table(fields: readonly Buffer[]): Buffer {
  return tagged('F', sized(Buffer.concat(fields)));
}

function field(name: string, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([name.length]), Buffer.from(name), value]);
}

function longText(text: string): Buffer {
  return tagged('S', sized(Buffer.from(text)));
}

function tagged(tag: string, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(tag), bytes]);
}

function sized(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function number64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}
