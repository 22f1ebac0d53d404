import { randomBytes } from "node:crypto";
import type { Topic } from "@winnow/contracts";
import { type LogFields, type Logger, WinnowError } from "@winnow/platform";
import type { Clock, EventLog } from "@winnow/ports";
import { numberOf, readAll } from "@winnow/testkit";
import { type Admin, Kafka, logLevel } from "kafkajs";
import {
  type KafkaLog,
  type KafkaLogOptions,
  type MigrateKafkaOptions,
  migrateKafka,
  openKafkaLog,
} from "../../src/log-kafka/index.ts";

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: async (ms, signal) => {
    if (signal?.aborted === true) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener("abort", done, { once: true });
    });
  },
};

/** Keeps what is logged, and lets a test wait for a line. */
export class HeardLog implements Logger {
  readonly lines: { readonly level: string; readonly message: string; readonly fields: LogFields }[] = [];
  readonly #waiting: { readonly message: string; readonly heard: () => void }[] = [];

  debug(): void {}

  info(message: string, fields: LogFields = {}): void {
    this.#hear("info", message, fields);
  }

  warn(message: string, fields: LogFields = {}): void {
    this.#hear("warn", message, fields);
  }

  error(message: string, fields: LogFields = {}): void {
    this.#hear("error", message, fields);
  }

  child(): Logger {
    return this;
  }

  /** Resolves once a line with this text comes. */
  async next(message: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ message, heard: resolve });
    await promise;
  }

  #hear(level: string, message: string, fields: LogFields): void {
    this.lines.push({ level, message, fields });
    for (const waiting of this.#waiting) if (message.includes(waiting.message)) waiting.heard();
  }
}

/** Topics of this name belong to one test alone. */
export function newPrefix(): string {
  return `test-${randomBytes(6).toString("hex")}.`;
}

export interface Place {
  readonly brokers: readonly string[];
  readonly topicPrefix: string;
}

const shared = { partitions: 4, clock: systemClock } as const;
const keepAll = { maxAgeMs: 7 * 86_400_000 };

export function migrate(place: Place, more: Partial<MigrateKafkaOptions> = {}) {
  return migrateKafka({ ...shared, ...place, log: new HeardLog(), replicationFactor: 1, retention: keepAll, ...more });
}

export function open(place: Place, more: Partial<KafkaLogOptions> = {}): Promise<KafkaLog> {
  return openKafkaLog({ ...shared, ...place, log: new HeardLog(), retention: keepAll, ...more });
}

/** Deletes the topics of a prefix; resolves once the broker knows none of them. */
export async function removeTopics({ brokers, topicPrefix }: Place): Promise<void> {
  await withAdmin(brokers, async (admin) => {
    const mine = async () => (await admin.listTopics()).filter((name) => name.startsWith(topicPrefix));
    const topics = await mine();
    if (topics.length > 0) await admin.deleteTopics({ topics });
    while ((await mine()).length > 0) await systemClock.sleep(20);
  });
}

/** Time that runs `speed` times as fast. */
export function fastClock(speed: number): Clock {
  return {
    now: systemClock.now,
    monotonic: () => performance.now() * speed,
    sleep: (ms, signal) => systemClock.sleep(ms / speed, signal),
  };
}

/** The code of the error that a promise rejects with; "none" when it resolves. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "none";
  } catch (error) {
    return error instanceof WinnowError ? error.code : `no WinnowError: ${String(error)}`;
  }
}

/** The values of all records that are there, as numbers. */
export async function numbersIn(log: EventLog, partition: number, topic: Topic = "alerts"): Promise<number[]> {
  return (await readAll(log, { topic, partition })).map(numberOf);
}

export async function withAdmin<T>(brokers: readonly string[], work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}
