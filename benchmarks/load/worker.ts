import { connect, type Socket } from "node:net";
import { type Endpoint, type LoadShape, requestBytes } from "./requests.ts";

/** What the parent asks for. */
export interface LoadOrder {
  readonly shape: LoadShape;
  readonly endpoint: Endpoint;
  readonly connections: number;
  readonly durationMs: number;
  /** So many whole rounds over all keys are sent, even when that takes longer than `durationMs`. */
  readonly rounds: number;
}

export interface LoadReport {
  readonly requests: number;
  readonly ok: number;
  readonly refused: number;
  readonly elapsed_ms: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
}

/** One connection that writes a request as soon as the answer to the one before has come: a closed loop. */
class Connection {
  readonly #socket: Socket;
  readonly #next: () => Buffer | null;
  readonly #answered: (status: number, ms: number) => void;
  readonly done: Promise<void>;
  #sentAt = 0;
  #received: Buffer = Buffer.alloc(0);

  constructor(endpoint: Endpoint, next: () => Buffer | null, answered: (status: number, ms: number) => void) {
    this.#next = next;
    this.#answered = answered;
    this.#socket = connect({ host: endpoint.host, port: endpoint.port, noDelay: true });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.done = promise;
    this.#socket.on("connect", () => {
      this.#send();
    });
    this.#socket.on("data", (chunk: Buffer) => {
      this.#read(chunk);
    });
    this.#socket.on("close", () => {
      resolve();
    });
    this.#socket.on("error", reject);
  }

  #send(): void {
    const request = this.#next();
    if (request === null) {
      this.#socket.end();
      return;
    }
    this.#sentAt = performance.now();
    this.#socket.write(request);
  }

  #read(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const headEnd = this.#received.indexOf("\r\n\r\n");
    if (headEnd === -1) return;
    const head = this.#received.toString("latin1", 0, headEnd);
    const length = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? "0");
    if (this.#received.length < headEnd + 4 + length) return;
    this.#received = Buffer.alloc(0);
    this.#answered(Number(head.slice(9, 12)), performance.now() - this.#sentAt);
    this.#send();
  }
}

async function run(order: LoadOrder): Promise<LoadReport> {
  const requests = requestBytes(order.shape, order.endpoint);
  const started = performance.now();
  let sent = 0;
  const next = (): Buffer | null => {
    const over = performance.now() - started >= order.durationMs && sent >= order.rounds * requests.length;
    return over ? null : (requests[sent++ % requests.length] ?? null);
  };
  const times: number[] = [];
  let ok = 0;
  const answered = (status: number, ms: number): void => {
    times.push(ms);
    if (status >= 200 && status < 300) ok += 1;
  };
  const connections = Array.from({ length: order.connections }, () => new Connection(order.endpoint, next, answered));
  await Promise.all(connections.map(async (connection) => connection.done));
  const sorted = Float64Array.from(times).toSorted();
  const quantile = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return {
    requests: times.length,
    ok,
    refused: times.length - ok,
    elapsed_ms: performance.now() - started,
    p50_ms: quantile(0.5),
    p99_ms: quantile(0.99),
  };
}

process.once("message", (order: LoadOrder) => {
  void run(order).then((report) => {
    process.send?.(report);
    process.disconnect?.();
  });
});
