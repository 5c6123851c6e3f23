/** The tasks in the database: which status follows which, and which tasks are still to be put on the queue. */
import { randomUUID } from 'node:crypto';
import { type Collection, MongoClient } from 'mongodb';

export const STATUSES = ['waiting', 'sent', 'error', 'success'] as const;
export type Status = (typeof STATUSES)[number];

/** The statuses that a task may come from. Error and success are final, so a late report changes nothing. */
const COMES_FROM: Readonly<Record<Status, readonly Status[]>> = {
  waiting: [],
  sent: ['waiting'],
  error: ['sent'],
  success: ['sent'],
};

export interface Task {
  readonly id: string;
  readonly text: string;
  readonly status: Status;
}

interface StoredTask {
  readonly _id: string;
  readonly text: string;
  readonly status: Status;
  /** False until the broker has confirmed the message of the task. */
  readonly isPublished: boolean;
  /** A producer publishes the task until then; afterwards another producer may, as the first one was killed. */
  readonly claimedUntil: Date;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** What became of a change of status. */
export type Change =
  | { readonly type: 'changed' | 'unchanged'; readonly task: Task }
  | { readonly type: 'illegal'; readonly task: Task }
  | { readonly type: 'missing' };

/** Longer than one publish may take (10 s), so that a claim ends only with its producer. */
const CLAIM_MS = 15_000;
const EPOCH = new Date(0);

export class TaskStore {
  readonly #client: MongoClient;
  readonly #tasks: Collection<StoredTask>;

  private constructor(client: MongoClient) {
    this.#client = client;
    this.#tasks = client.db().collection<StoredTask>('tasks');
  }

  /** @throws MongoError where the database does not answer within ten seconds. */
  static async open(url: string): Promise<TaskStore> {
    const client = new MongoClient(url, {
      serverSelectionTimeoutMS: 10_000,
      socketTimeoutMS: 10_000,
      // A task that was answered with 201 must survive the loss of a node of the database.
      writeConcern: { w: 'majority', journal: true },
    });
    const store = new TaskStore(client);
    try {
      await store.#tasks.createIndex({ status: 1, isPublished: 1, claimedUntil: 1 });
    } catch (error) {
      await client.close();
      throw error;
    }
    return store;
  }

  async create(text: string): Promise<Task> {
    const now = new Date();
    const task: StoredTask = {
      _id: randomUUID(),
      text,
      status: 'waiting',
      isPublished: false,
      claimedUntil: EPOCH,
      createdAt: now,
      updatedAt: now,
    };
    await this.#tasks.insertOne(task);
    return shown(task);
  }

  async find(id: string): Promise<Task | undefined> {
    const task = await this.#tasks.findOne({ _id: id });
    return task === null ? undefined : shown(task);
  }

  /** The condition is part of the update, so of two reports at the same time the first one stays. */
  async change(id: string, status: Status): Promise<Change> {
    const from = { _id: id, status: { $in: [...COMES_FROM[status]] } };
    const set = { $set: { status, updatedAt: new Date() } };
    const changed = await this.#tasks.findOneAndUpdate(from, set, { returnDocument: 'after' });
    if (changed !== null) return { type: 'changed', task: shown(changed) };
    const task = await this.find(id);
    if (task === undefined) return { type: 'missing' };
    return { type: task.status === status ? 'unchanged' : 'illegal', task };
  }

  /**
   * Takes one task at random that waits, or whose producer ended before its message was confirmed, and marks it as sent. It is
   * marked before it is published: otherwise a consumer could report a task that still waits.
   */
  async claimRandom(): Promise<string | undefined> {
    const now = new Date();
    const isDue = {
      $or: [
        { status: 'waiting' as const },
        { status: 'sent' as const, isPublished: false, claimedUntil: { $lt: now } },
      ],
    };
    const [candidate] = await this.#tasks
      .aggregate<StoredTask>([{ $match: isDue }, { $sample: { size: 1 } }])
      .toArray();
    if (candidate === undefined) return undefined;
    const claimed = await this.#tasks.findOneAndUpdate(
      { _id: candidate._id, ...isDue },
      {
        $set: {
          status: 'sent',
          claimedUntil: new Date(now.getTime() + CLAIM_MS),
          updatedAt: now,
        },
      },
    );
    return claimed?._id;
  }

  async markPublished(id: string): Promise<void> {
    await this.#tasks.updateOne({ _id: id }, { $set: { isPublished: true } });
  }

  async ping(): Promise<void> {
    await this.#client.db().command({ ping: 1 });
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}

function shown({ _id, text, status }: StoredTask): Task {
  return { id: _id, text, status };
}
