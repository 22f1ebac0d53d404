import { assert, type ErrorFields, WinnowError } from "@winnow/platform";
import { Redis, ReplyError } from "ioredis";

/** Where the adapter tells of its connection; pino fits. */
export interface RedisLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface RedisConnectionOptions {
  /** `redis://` or `rediss://`, with user, password and database where needed. */
  readonly url: string;
  /** How long Redis may say nothing before the connection is given up. */
  readonly timeoutMs: number;
  readonly log: RedisLog;
}

/** What a command or script answers. */
export type Reply = string | number | null | readonly Reply[];

/** How a call fails that got no answer: `unknown` when it may have changed what others see. */
export type IfLost = "unavailable" | "unknown";

const RECONNECT_MS_MAX = 2_000;

/**
 * One connection to one Redis. It connects again by itself, but queues and repeats nothing: a call without a connection
 * fails at once, and a lost connection or silence beyond `timeoutMs` ends all calls under way.
 */
export class RedisConnection {
  readonly #redis: Redis;
  readonly #address: ErrorFields;
  readonly #log: RedisLog;
  #closing: Promise<void> | null = null;
  #lost = false;
  #lastError: Error | null = null;

  private constructor(options: RedisConnectionOptions) {
    this.#log = options.log;
    this.#redis = new Redis(options.url, {
      lazyConnect: true,
      connectionName: "winnow",
      disableClientInfo: true,
      connectTimeout: options.timeoutMs,
      // Without data while answers are due, the socket is destroyed: so nothing piles up behind a Redis that hangs.
      socketTimeout: options.timeoutMs,
      enableAutoPipelining: false,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      // 0 rejects what is under way when the connection is lost; any other value would leave it waiting for ever.
      maxRetriesPerRequest: 0,
      // Behind a name or a balancer the connection would stay with the server that a fail-over has made a replica.
      reconnectOnError: ({ message }) => message.startsWith("READONLY"),
      retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times - 1, 10), RECONNECT_MS_MAX),
    });
    const { host, port, db, path } = this.#redis.options;
    this.#address = { redis: path ?? `${host ?? ""}:${port ?? ""}`, database: db ?? 0 };
    this.#redis.on("error", (error: Error) => {
      this.#lastError = error;
    });
    this.#redis.on("close", () => this.#onClose());
    this.#redis.on("ready", () => this.#onReady());
  }

  /**
   * Connects, and waits while Redis loads its data.
   * Rejects with WinnowError `store_unavailable`, or `store_unsuitable` when Redis takes neither user nor password.
   */
  static async open(options: RedisConnectionOptions): Promise<RedisConnection> {
    const connection = new RedisConnection(options);
    try {
      await connection.#redis.connect();
      return connection;
    } catch (error) {
      connection.#redis.disconnect();
      const cause = connection.#lastError ?? error;
      throw isReplyError(cause)
        ? connection.#refused(cause)
        : connection.#failure("store_unavailable", "Redis cannot be reached", { cause });
    }
  }

  /**
   * Sends one command.
   * Rejects with WinnowError `store_unavailable`, `store_unknown` (no answer, and it may have been done) or
   * `store_unsuitable`; the first word of an error that Redis answered is the field `redis_code`.
   */
  async call(ifLost: IfLost, command: string, args: readonly (string | number)[]): Promise<Reply> {
    if (this.#closing !== null) throw this.#failure("store_unavailable", "The store is closed");
    if (this.#redis.status !== "ready") throw this.#failure("store_unavailable", "There is no connection to Redis");
    try {
      return (await this.#redis.call(command, ...args)) as Reply;
    } catch (error) {
      if (isReplyError(error)) throw this.#refused(error);
      throw this.#failure(`store_${ifLost}`, "Redis did not answer", { cause: error });
    }
  }

  /** Waits for the calls under way, then ends the connection. */
  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    try {
      if (this.#redis.status === "ready") await this.#redis.quit();
    } catch {
      // The connection was lost on the way, which is an end too; calls under way have been told.
    } finally {
      this.#redis.disconnect();
    }
  }

  /** An error that Redis answered: the command was not done. */
  #refused(error: Error): WinnowError {
    const word = /^[A-Z]+/.exec(error.message)?.[0] ?? "ERR";
    const code = retryable.has(word) ? "store_unavailable" : "store_unsuitable";
    return this.#failure(code, `Redis refused: ${error.message}`, { cause: error, redis_code: word });
  }

  #failure(
    code: "store_unavailable" | "store_unknown" | "store_unsuitable",
    message: string,
    why: { readonly cause?: unknown; readonly redis_code?: string } = {},
  ): WinnowError {
    const fields = why.redis_code === undefined ? this.#address : { ...this.#address, redis_code: why.redis_code };
    return new WinnowError(code, message, { cause: why.cause, fields });
  }

  #onClose(): void {
    if (this.#closing !== null || this.#lost) return;
    this.#lost = true;
    const reason = this.#lastError?.message ?? "closed by the server";
    this.#log.warn({ ...this.#address, reason }, "the connection to Redis was lost");
  }

  #onReady(): void {
    if (this.#lost) this.#log.info(this.#address, "Redis is connected again");
    this.#lost = false;
    this.#lastError = null;
  }
}

/** True for an error that Redis answered, as against one of the connection. */
function isReplyError(error: unknown): error is Error {
  return error instanceof (ReplyError as new () => Error);
}

/** Errors that pass by themselves or by a person's hand at Redis: it starts, fails over, or its disk or memory is full. */
const retryable: ReadonlySet<string> = new Set([
  "LOADING",
  "READONLY",
  "MISCONF",
  "OOM",
  "BUSY",
  "MASTERDOWN",
  "CLUSTERDOWN",
  "TRYAGAIN",
  "NOREPLICAS",
  "NOSCRIPT",
]);

/** A reply that is a list; anything else is a programmer error. */
export function listOf(reply: Reply | undefined): readonly Reply[] {
  assert(Array.isArray(reply), "Redis answers with a list");
  return reply as readonly Reply[];
}

export function textOf(reply: Reply | undefined): string {
  assert(typeof reply === "string", "Redis answers with a text");
  return reply;
}

export function textOrNull(reply: Reply | undefined): string | null {
  return reply === null ? null : textOf(reply);
}
