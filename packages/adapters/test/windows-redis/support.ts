import { randomUUID } from "node:crypto";
import { EventEmitter, once } from "node:events";
import type { CommitMeta, StateChange, WindowStore } from "@winnow/ports";
import { Redis } from "ioredis";
import { RedisConnection, type RedisLog, type Reply } from "../../src/windows-redis/connection.ts";
import { type ScriptName, type ScriptRunner, Scripts } from "../../src/windows-redis/scripts.ts";
import { RedisWindowStore } from "../../src/windows-redis/window-store.ts";

export const a0 = { stage: "A", partition: 0 } as const;

export function metaAt(position: number): CommitMeta {
  return {
    position,
    log_id: "l",
    clock_ms: position,
    rule_generation: 0,
    rule_digest: "",
    engine_version: 1,
    marks: {},
    published: {},
    outcomes: {},
    seen: position,
    passed: 0,
    settled: 0,
  };
}

/** As many states as `count`, all of them saying `value`; each third has a deadline, the first of them `due`. */
export function statesSaying(value: string, count: number, due = 0): StateChange[] {
  return Array.from({ length: count }, (_, n) => ({
    key: `k${n}`,
    value: JSON.stringify(value),
    deadline_ms: n % 3 === 0 ? due + n : null,
    changed_at: 1,
  }));
}

export const keysOf = (count: number): string[] => Array.from({ length: count }, (_, n) => `k${n}`);

/** A log whose messages can be waited for and counted. */
export class HeardLog implements RedisLog {
  readonly messages: string[] = [];
  readonly #heard = new EventEmitter();

  info = (_fields: object, message: string): void => this.#hear(message);
  warn = (_fields: object, message: string): void => this.#hear(message);

  /** Resolves when the connection is lost. Call it before what loses it. */
  untilLost(): Promise<void> {
    return this.#until("lost");
  }

  /** Resolves when the connection is back. Call it before what brings it back. */
  untilConnected(): Promise<void> {
    return this.#until("again");
  }

  async #until(word: string): Promise<void> {
    for (let message = ""; !message.includes(word); ) [message] = (await once(this.#heard, "message")) as [string];
  }

  #hear(message: string): void {
    this.messages.push(message);
    this.#heard.emit("message", message);
  }
}

export type Watch = Partial<Record<"before" | "after", (name: ScriptName, number: number) => Promise<void> | void>>;

/** Lets `before` and `after` happen around each script, by its number from 0; they may throw. One script at a time. */
function watched(scripts: ScriptRunner, watch: Watch): ScriptRunner {
  let count = 0;
  let last: Promise<unknown> = Promise.resolve();
  return {
    run(name, at, args) {
      const number = count;
      count += 1;
      const run = async (): Promise<Reply> => {
        await watch.before?.(name, number);
        const reply = await scripts.run(name, at, args);
        await watch.after?.(name, number);
        return reply;
      };
      const answer = last.then(run, run);
      last = answer.catch(() => undefined);
      return answer;
    },
  };
}

/** Another client of the store below `prefix`, with something between it and its scripts. */
export async function openWatched(
  settings: {
    readonly url: string;
    readonly prefix: string;
    readonly chunkStates: number;
    readonly timeoutMs?: number;
  },
  watch: Watch,
): Promise<WindowStore> {
  const { url, prefix, chunkStates, timeoutMs = 5_000 } = settings;
  const connection = await RedisConnection.open({ url, timeoutMs, log: new HeardLog() });
  const scripts = watched(await Scripts.open(connection), watch);
  return new RedisWindowStore(connection, scripts, { prefix, partitions: 4, chunkStates });
}

/** A prefix that nobody else uses. */
export function newPrefix(): string {
  return `test-${randomUUID()}`;
}

/** Deletes what a test left below its prefix: the server may be somebody's own. */
export async function removePrefix(url: string, prefix: string): Promise<void> {
  const admin = new Redis(url);
  for await (const keys of admin.scanStream({ match: `{${prefix}*`, count: 1_000 })) {
    if (keys.length > 0) await admin.unlink(...(keys as string[]));
  }
  await admin.quit();
}
