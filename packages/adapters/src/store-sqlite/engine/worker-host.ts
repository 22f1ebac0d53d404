import type { DatabaseSync, StatementSync } from "node:sqlite";
import { type MessagePort, parentPort, receiveMessageOnPort } from "node:worker_threads";
import { assert } from "./failure.ts";
import { CLOSE, type Failure, OPEN, type Reply, type Request, STATS, toFailure } from "./wire.ts";

/** Calls that were waiting when a transaction began and are carried out in it, at most. */
const GROUP_MAX = 64;

type Operations = Readonly<Record<string, (...args: never[]) => unknown>>;

/** A database and what can be asked of it. Operations are synchronous and begin no transaction of their own. */
export interface Backend {
  readonly db: DatabaseSync;
  readonly operations: Operations;
  readonly isRead: (operation: string) => boolean;
  /** Answer to the call that opened it. */
  readonly opened: unknown;
}

/** Opens the backend in the worker. `now` is the caller's clock as of the call being carried out. */
export type OpenBackend<Options> = (options: Options, now: () => number) => Backend;

/**
 * The worker's whole life; the client ends it. All calls that are waiting are carried out in order in one transaction and answered once it
 * is durable, so calls that arrive together share one sync and no answer ever tells of what could still be undone.
 * A call that fails takes back its own changes alone.
 */
export function serveWorker<Options>(open: OpenBackend<Options>): void {
  assert(parentPort !== null, "runs as a worker");
  const port = parentPort;
  const host = new WorkerHost(port, open as OpenBackend<unknown>);
  port.on("message", (first: Request) => {
    host.handle([first, ...waiting(port)]);
  });
}

function waiting(port: MessagePort): Request[] {
  const requests: Request[] = [];
  while (requests.length < GROUP_MAX - 1) {
    const next = receiveMessageOnPort(port);
    if (next === undefined) break;
    requests.push(next.message as Request);
  }
  return requests;
}

class WorkerHost {
  readonly #port: MessagePort;
  readonly #open: OpenBackend<unknown>;
  #group: GroupRunner | null = null;
  #nowMs = 0;

  constructor(port: MessagePort, open: OpenBackend<unknown>) {
    this.#port = port;
    this.#open = open;
  }

  handle(requests: readonly Request[]): void {
    let group: Request[] = [];
    for (const request of requests) {
      if (!request.operation.startsWith("$")) {
        group.push(request);
        continue;
      }
      this.#answerGroup(group);
      group = [];
      this.#control(request);
    }
    this.#answerGroup(group);
  }

  #control(request: Request): void {
    this.#nowMs = request.now_ms;
    try {
      this.#reply({ id: request.id, value: this.#carryOut(request) });
    } catch (error) {
      this.#reply({ id: request.id, failure: toFailure(error) });
    }
  }

  #reply(reply: Reply): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    this.#port.postMessage(reply);
  }

  #carryOut(request: Request): unknown {
    switch (request.operation) {
      case OPEN: {
        const backend = this.#open(request.args[0], () => this.#nowMs);
        this.#group = new GroupRunner(backend, (now) => {
          this.#nowMs = now;
        });
        return backend.opened;
      }
      case CLOSE:
        this.#group?.close();
        this.#group = null;
        return null;
      case STATS:
        return this.#group?.stats() ?? { writes: 0, transactions: 0 };
      default:
        throw new Error(`no such operation: ${request.operation}`);
    }
  }

  #answerGroup(requests: readonly Request[]): void {
    if (requests.length === 0) return;
    const replies =
      this.#group?.run(requests) ??
      failAll(requests, { code: "store_unavailable", message: "The database is not open", fields: {} });
    for (const reply of replies) this.#reply(reply);
  }
}

/** Carries out a group of calls in one transaction. */
class GroupRunner {
  readonly #backend: Backend;
  readonly #setNow: (nowMs: number) => void;
  readonly #savepoint: StatementSync;
  readonly #release: StatementSync;
  readonly #takeBack: StatementSync;
  #writes = 0;
  #transactions = 0;

  constructor(backend: Backend, setNow: (nowMs: number) => void) {
    this.#backend = backend;
    this.#setNow = setNow;
    this.#savepoint = backend.db.prepare("SAVEPOINT call");
    this.#release = backend.db.prepare("RELEASE call");
    this.#takeBack = backend.db.prepare("ROLLBACK TO call");
  }

  run(requests: readonly Request[]): Reply[] {
    const { db, isRead } = this.#backend;
    const writes = requests.filter((request) => !isRead(request.operation)).length;
    try {
      db.exec(writes > 0 ? "BEGIN IMMEDIATE" : "BEGIN");
    } catch (error) {
      return failAll(requests, toFailure(error));
    }
    this.#writes += writes;
    if (writes > 0) this.#transactions += 1;
    const replies: Reply[] = [];
    for (const request of requests) {
      replies.push(this.#call(request));
      // A full disk or a failed read makes SQLite take back the whole transaction by itself.
      if (!db.isTransaction) return failAll(requests, lastFailure(replies));
    }
    return this.#commit(requests, replies);
  }

  #call(request: Request): Reply {
    const operation = this.#backend.operations[request.operation];
    if (operation === undefined) return failed(request, new Error(`no such operation: ${request.operation}`));
    this.#setNow(request.now_ms);
    this.#savepoint.run();
    try {
      const value = operation(...(request.args as never[]));
      this.#release.run();
      return { id: request.id, value };
    } catch (error) {
      if (this.#backend.db.isTransaction) {
        this.#takeBack.run();
        this.#release.run();
      }
      return failed(request, error);
    }
  }

  #commit(requests: readonly Request[], replies: Reply[]): Reply[] {
    const { db } = this.#backend;
    try {
      db.exec("COMMIT");
      return replies;
    } catch (error) {
      if (db.isTransaction) db.exec("ROLLBACK");
      return failAll(requests, { ...toFailure(error), code: "store_unknown" });
    }
  }

  stats(): { writes: number; transactions: number } {
    return { writes: this.#writes, transactions: this.#transactions };
  }

  close(): void {
    this.#backend.db.close();
  }
}

function failed(request: Request, error: unknown): Reply {
  return { id: request.id, failure: toFailure(error) };
}

function lastFailure(replies: readonly Reply[]): Failure {
  const last = replies.at(-1);
  assert(last !== undefined && "failure" in last, "only an error ends a transaction early");
  return { ...last.failure, code: "store_unavailable" };
}

function failAll(requests: readonly Request[], failure: Failure): Reply[] {
  return requests.map((request) => ({ id: request.id, failure }));
}
