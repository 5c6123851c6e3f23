/** The workouts of a peer in PostgreSQL, with the content of FIT's documents: one for each user and date. */
import type { CompactWorkout } from '@fit/workout';
import type { Pool } from 'pg';

const TABLE = `
create table workouts (
  user_id text not null,
  date date not null,
  workout jsonb not null,
  primary key (user_id, date)
)`;

const INSERT = `
insert into workouts (user_id, date, workout)
select * from unnest($1::text[], $2::date[], $3::jsonb[])
on conflict do nothing`;

/** As many as one insert takes; more batches are under way at the same time. */
const BATCH_SIZE = 500;
const BATCHES_IN_FLIGHT = 3;

export interface StoredWorkout {
  readonly userId: string;
  /** YYYY-MM-DD */
  readonly date: string;
  /** FIT's document but for its id. */
  readonly document: CompactWorkout & { readonly storedAt: Date };
}

export class WorkoutTable {
  readonly #pool: Pool;
  readonly #onStored: (count: number) => void;
  #pending: { workout: StoredWorkout; settle: (stored: Promise<void>) => void }[] = [];
  #inFlightCount = 0;
  #isFlushPlanned = false;

  /** @param onStored is called after each insert with the number of workouts that were not there before. */
  constructor(pool: Pool, onStored: (count: number) => void) {
    this.#pool = pool;
    this.#onStored = onStored;
  }

  static async create(pool: Pool): Promise<void> {
    await pool.query(TABLE);
  }

  static async count(pool: Pool, date: string): Promise<number> {
    const { rows } = await pool.query<{ count: string }>(
      `select count(*) from workouts where date = $1`,
      [date],
    );
    return Number(rows[0]?.count);
  }

  async insertMany(workouts: readonly StoredWorkout[]): Promise<void> {
    const { rowCount } = await this.#pool.query(INSERT, [
      workouts.map(({ userId }) => userId),
      workouts.map(({ date }) => date),
      workouts.map(({ document }) => JSON.stringify(document)),
    ]);
    this.#onStored(rowCount ?? 0);
  }

  /** For systems that give each job to a handler of its own: what comes within a turn of the event loop is inserted together. */
  async insertInBatch(workout: StoredWorkout): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const settle = (stored: Promise<void>) => void stored.then(resolve, reject);
      this.#pending.push({ workout, settle });
      this.#planFlush();
    });
  }

  #planFlush(): void {
    if (this.#isFlushPlanned || this.#pending.length === 0) return;
    if (this.#inFlightCount >= BATCHES_IN_FLIGHT) return;
    this.#isFlushPlanned = true;
    setImmediate(() => {
      this.#isFlushPlanned = false;
      this.#flush();
    });
  }

  #flush(): void {
    const batch = this.#pending.splice(0, BATCH_SIZE);
    this.#inFlightCount += 1;
    const stored = this.insertMany(batch.map(({ workout }) => workout)).finally(() => {
      this.#inFlightCount -= 1;
      this.#planFlush();
    });
    for (const { settle } of batch) settle(stored);
    this.#planFlush();
  }
}
