/** The collections, and the outbox: the events of a change are stored in the document that it changes, by the same write. */
import { randomUUID } from 'node:crypto';
import { type Collection, MongoClient, MongoServerError } from 'mongodb';
import type { TaskEvent } from './topology.ts';

const DUPLICATE_KEY = 11_000;
/** Milliseconds after which the events of a write are left over: the process that wrote it would have published them. */
const LEFT_OVER_MS = 2_000;
/** Changes of one task at the same time; each one that loses reads the task again. */
const MOST_ATTEMPTS = 20;

export interface TaskFields {
  readonly title: string;
  readonly description: string;
  readonly status: 'todo' | 'in_progress' | 'done';
  readonly userId: string;
  readonly categoryId?: string | undefined;
}

/** The fields that change; those that are undefined stay. */
export type TaskChange = { readonly [Name in keyof TaskFields]?: TaskFields[Name] | undefined };

interface TaskDocument extends TaskFields {
  readonly _id: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Counts the changes, so that two of them at the same time do not overwrite each other. */
  readonly version: number;
  /** Events that may not be on the broker yet. */
  readonly events: readonly TaskEvent[];
  readonly hasEvents: boolean;
  /** The document of a deleted task stays until its event is on the broker. */
  readonly isDeleted: boolean;
}

export interface Named {
  readonly _id: string;
  readonly name: string;
  readonly email?: string;
}

/** The record that an event was notified of; it is removed after a time, when no copy of the event can come any more. */
export interface Notification {
  /** Id of the event: a second record of it cannot be stored. */
  readonly _id: string;
  readonly taskId: string;
  readonly type: TaskEvent['type'];
  readonly text: string;
  readonly worker: string;
  readonly sentAt: Date;
}

export interface Database {
  readonly users: Collection<Named>;
  readonly categories: Collection<Named>;
  readonly tasks: Tasks;
  readonly notifications: Collection<Notification>;
  close(): Promise<void>;
}

/** Connects, and makes the indexes. */
export async function openDatabase(): Promise<Database> {
  const client = new MongoClient(process.env['MONGODB_URL'] ?? 'mongodb://127.0.0.1:27017', {
    serverSelectionTimeoutMS: 5_000,
    ignoreUndefined: true,
    socketTimeoutMS: 10_000,
  });
  const database = client.db(process.env['MONGODB_DATABASE'] ?? 'task-events');
  const tasks = database.collection<TaskDocument>('tasks');
  const notifications = database.collection<Notification>('notifications');
  await tasks.createIndex({ hasEvents: 1, updatedAt: 1 });
  await tasks.createIndex({ userId: 1, createdAt: 1 });
  await notifications.createIndex({ taskId: 1 });
  await notifications.createIndexes([
    {
      key: { sentAt: 1 },
      expireAfterSeconds: Number(process.env['NOTIFICATION_TTL_SECONDS'] ?? 7 * 86_400),
    },
  ]);
  return {
    users: database.collection<Named>('users'),
    categories: database.collection<Named>('categories'),
    tasks: new Tasks(tasks),
    notifications,
    close: () => client.close(),
  };
}

/** @returns false if the event was notified of before. */
export async function storeOnce(
  notifications: Collection<Notification>,
  notification: Notification,
): Promise<boolean> {
  try {
    await notifications.insertOne(notification, { writeConcern: { w: 'majority', journal: true } });
    return true;
  } catch (error) {
    if (error instanceof MongoServerError && error.code === DUPLICATE_KEY) return false;
    throw error;
  }
}

/** Events of one task that are to be published. */
export interface Outbox {
  readonly taskId: string;
  readonly version: number;
  readonly events: readonly TaskEvent[];
  readonly isDeleted: boolean;
}

/** A task as the API shows it, and what its change left to publish. */
export interface Changed {
  readonly task: object;
  readonly outbox: Outbox;
}

export class Tasks {
  readonly #collection: Collection<TaskDocument>;

  constructor(collection: Collection<TaskDocument>) {
    this.#collection = collection;
  }

  async create(fields: TaskFields): Promise<Changed> {
    const now = new Date();
    const id = randomUUID();
    const document: TaskDocument = {
      _id: id,
      ...fields,
      createdAt: now,
      updatedAt: now,
      version: 1,
      events: [eventOf('TASK_CREATED', id, fields, now)],
      hasEvents: true,
      isDeleted: false,
    };
    await this.#collection.insertOne(document, { writeConcern: { w: 'majority', journal: true } });
    return changed(document);
  }

  async find(id: string): Promise<object | undefined> {
    const document = await this.#collection.findOne({ _id: id, isDeleted: false });
    return document === null ? undefined : shown(document);
  }

  /** The oldest first, at most 100. */
  async list(filter: {
    readonly status?: TaskFields['status'] | undefined;
    readonly userId?: string | undefined;
    readonly categoryId?: string | undefined;
  }): Promise<readonly object[]> {
    const given = Object.entries(filter).filter(([, value]) => value !== undefined);
    const documents = await this.#collection
      .find({ ...Object.fromEntries(given), isDeleted: false })
      .sort({ createdAt: 1 })
      .limit(100)
      .toArray();
    return documents.map(shown);
  }

  /** @returns undefined if there is no such task. */
  async update(id: string, fields: TaskChange): Promise<Changed | undefined> {
    return await this.#change(id, 'TASK_UPDATED', fields);
  }

  /** @returns undefined if there is no such task. */
  async delete(id: string): Promise<Changed | undefined> {
    return await this.#change(id, 'TASK_DELETED', {});
  }

  /** Outboxes that a process left over when it was killed, or when the broker did not answer. */
  async leftOver(): Promise<readonly Outbox[]> {
    const before = new Date(Date.now() - LEFT_OVER_MS);
    const documents = await this.#collection
      .find({ hasEvents: true, updatedAt: { $lt: before } })
      .sort({ updatedAt: 1 })
      .limit(100)
      .toArray();
    return documents.map((document) => changed(document).outbox);
  }

  /**
   * Empties an outbox whose events are on the broker. If the task was changed meanwhile it stays as it is: its events are
   * published again, which the workers recognise.
   */
  async empty({ taskId, version, isDeleted }: Outbox): Promise<void> {
    if (isDeleted) await this.#collection.deleteOne({ _id: taskId, version });
    else
      await this.#collection.updateOne(
        { _id: taskId, version },
        { $set: { events: [], hasEvents: false } },
      );
  }

  async #change(
    id: string,
    type: TaskEvent['type'],
    fields: TaskChange,
  ): Promise<Changed | undefined> {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const old = await this.#collection.findOne({ _id: id, isDeleted: false });
      if (old === null) return undefined;
      const now = new Date();
      const current: TaskFields = {
        title: fields.title ?? old.title,
        description: fields.description ?? old.description,
        status: fields.status ?? old.status,
        userId: fields.userId ?? old.userId,
        categoryId: fields.categoryId ?? old.categoryId,
      };
      const next: TaskDocument = {
        ...old,
        ...current,
        updatedAt: now,
        version: old.version + 1,
        events: [...old.events, eventOf(type, id, current, now)],
        hasEvents: true,
        isDeleted: type === 'TASK_DELETED',
      };
      const { matchedCount } = await this.#collection.replaceOne(
        { _id: id, version: old.version },
        next,
        { writeConcern: { w: 'majority', journal: true } },
      );
      if (matchedCount === 1) return changed(next);
    }
    throw new Error(`task ${id} is changed by too many at the same time`);
  }
}

function eventOf(
  type: TaskEvent['type'],
  id: string,
  { title, userId }: TaskFields,
  now: Date,
): TaskEvent {
  return {
    type,
    payload: { id, title, userId },
    metadata: { eventId: randomUUID(), timestamp: now.toISOString() },
  };
}

function changed(document: TaskDocument): Changed {
  const { _id: taskId, version, events, isDeleted } = document;
  return { task: shown(document), outbox: { taskId, version, events, isDeleted } };
}

function shown(document: TaskDocument): object {
  const { _id: id, version, events, hasEvents, isDeleted, ...fields } = document;
  return { id, ...fields };
}
