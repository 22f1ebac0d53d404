import { Worker } from "node:worker_threads";
import { WinnowError } from "@winnow/platform";
import { CLOSE, type Failure, OPEN, type Reply, type Request, STATS, type WorkerStats } from "./wire.ts";

/** What a store says to its operators; a pino logger fits. */
export interface StoreLog {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface WorkerSettings {
  /** The module that calls `serveWorker`. */
  readonly module: URL;
  /** Name of the thread in tools and logs. */
  readonly name: string;
  /** Handed to the worker's `open`. */
  readonly options: unknown;
  /** The clock whose time goes with each call. */
  readonly now: () => number;
  readonly log: StoreLog;
}

interface Waiting {
  readonly worker: Worker;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Calls into a worker thread that owns a database. A worker that dies leaves the calls under way with an unknown end,
 * and the next call starts another one.
 */
export class WorkerClient {
  readonly #settings: WorkerSettings;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | null = null;
  #lastId = 0;
  #closed = false;

  constructor(settings: WorkerSettings) {
    this.#settings = settings;
  }

  /** Starts the worker; resolves with what its `open` answers and rejects with what it throws. */
  open(): Promise<unknown> {
    return this.#start().opened;
  }

  /**
   * Carries out one operation. Rejects with the operation's own WinnowError, with `store_unknown` when the worker died
   * on the way, with `store_unavailable` after `close`, and with a plain Error for what the schema does not take.
   */
  call(operation: string, args: readonly unknown[]): Promise<unknown> {
    if (this.#closed) return Promise.reject(new WinnowError("store_unavailable", "The store is closed"));
    return this.#post(this.#worker ?? this.#start().worker, operation, args);
  }

  async stats(): Promise<WorkerStats> {
    return (await this.call(STATS, [])) as WorkerStats;
  }

  /** Lets the calls before it end, then closes the database and the thread. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const worker = this.#worker;
    if (worker === null) return;
    try {
      await this.#post(worker, CLOSE, []);
    } finally {
      // The client ends the thread: a thread that ends itself may take its last answer with it.
      await worker.terminate();
    }
  }

  #start(): { worker: Worker; opened: Promise<unknown> } {
    const worker = new Worker(this.#settings.module, { name: this.#settings.name });
    this.#worker = worker;
    worker.on("message", (reply: Reply) => this.#settle(reply));
    worker.on("error", (error: unknown) => {
      this.#settings.log.error({ err: error, thread: this.#settings.name }, "a store's thread failed");
    });
    worker.on("exit", () => {
      this.#abandon(worker, new WinnowError("store_unknown", "The store's thread ended before it answered"));
    });
    const opened = this.#post(worker, OPEN, [this.#settings.options]);
    // Who called `open` hears the reason; the calls behind it did nothing, and the next one starts another thread.
    opened.catch(() => {
      this.#abandon(worker, new WinnowError("store_unavailable", "The database could not be opened"));
      void worker.terminate();
    });
    return { worker, opened };
  }

  #post(worker: Worker, operation: string, args: readonly unknown[]): Promise<unknown> {
    this.#lastId += 1;
    const request: Request = { id: this.#lastId, operation, now_ms: this.#settings.now(), args };
    return new Promise((resolve, reject) => {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
      worker.postMessage(request);
      this.#waiting.set(request.id, { worker, resolve, reject });
    });
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    if (waiting === undefined) return;
    this.#waiting.delete(reply.id);
    if ("failure" in reply) waiting.reject(fromFailure(reply.failure));
    else waiting.resolve(reply.value);
  }

  /** Forgets a thread; its calls that have no answer yet end with `error`. */
  #abandon(worker: Worker, error: WinnowError): void {
    if (this.#worker === worker) this.#worker = null;
    for (const [id, waiting] of this.#waiting) {
      if (waiting.worker !== worker) continue;
      this.#waiting.delete(id);
      waiting.reject(error);
    }
  }
}

function fromFailure(failure: Failure): Error {
  if (failure.code === null) return new Error(failure.message);
  return new WinnowError(failure.code, failure.message, { fields: failure.fields });
}
