/** All systems that are compared, on one new broker and database, warm, measured in turn within seconds of each other. */
import { resolve } from 'node:path';
import { freePorts, type Stack, startStack } from '@fit/stack';
import { MongoClient } from 'mongodb';
import { openCollector } from './collector.ts';
import { openStand, type Stand } from './stand.ts';
import { VARIANTS, type Variant } from './variant.ts';
import type { Round } from './verdict.ts';

export interface Arena {
  /** @param order in which the systems are measured, one run each. */
  playRound(order: readonly Variant[]): Promise<Round>;
  close(): Promise<void>;
}

/**
 * Full load is a warm system. After two runs of 10,000 counting still cost a tenth of the throughput, after five nothing
 * that could be told from noise: the compiler was not through with it.
 */
const WARM_UP_ROUNDS = 5;

/** @returns the arena with its systems warm. */
export async function openArena(userCount: number): Promise<Arena> {
  const name = `bench-${process.pid}`;
  const stack = await startStack({
    name,
    ports: await freePorts(),
    services: ['rabbitmq', 'gateway'],
    folder: resolve(import.meta.dirname, `../../../../.stack/${name}`),
    endsOnSignal: true,
  });
  try {
    const arena = await openOn(stack, userCount);
    const close = async () => {
      await arena.close();
      await stack.stop({ purge: true });
    };
    return { ...arena, close };
  } catch (error) {
    await stack.stop({ purge: true });
    throw error;
  }
}

async function openOn(stack: Stack, userCount: number): Promise<Arena> {
  const client = new MongoClient(stack.mongodbUrl);
  const collector = await openCollector();
  const stands = new Map<Variant, Stand>();
  let day = 0;
  const playRound: Arena['playRound'] = async (order) => {
    const date = new Date(Date.UTC(2026, 0, 1 + day)).toISOString().slice(0, 10);
    day += 1;
    const figures: Partial<Round> = {};
    for (const variant of order)
      Object.assign(figures, { [variant]: await stands.get(variant)?.measure(date) });
    return figures as Round;
  };
  const close = async () => {
    await Promise.all([...stands.values()].map((stand) => stand.stop()));
    await client.close();
    await collector.close();
  };
  try {
    for (const variant of VARIANTS)
      stands.set(variant, await openStand({ stack, client, collector, variant, userCount }));
    for (let count = 0; count < WARM_UP_ROUNDS; count += 1) await playRound(VARIANTS);
    return { playRound, close };
  } catch (error) {
    await close();
    throw error;
  }
}
