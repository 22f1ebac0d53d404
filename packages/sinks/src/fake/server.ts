import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Fault, type FaultKind, FaultQueue, type Operation, parseFault } from "./faults.ts";
import { Ledger, type LedgerEntry } from "./ledger.ts";

export interface FakeOptions {
  /** Port 0 picks a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** JSONL file; without one the ledger is kept in memory only. */
  readonly ledgerFile?: string;
  /** Called with one line per request. */
  readonly log?: (line: string) => void;
}

/** A running fake vendor. */
export interface FakeServer {
  readonly url: string;
  ledger(): readonly LedgerEntry[];
  /** Resolves as soon as the ledger is as `isSo` wants it. */
  until(isSo: (entries: readonly LedgerEntry[]) => boolean): Promise<void>;
  /** The same as `POST /__faults`. Throws for a fault that this fake does not know. */
  inject(fault: {
    readonly kind: FaultKind;
    readonly count?: number;
    readonly delay_ms?: number;
    readonly on?: Operation;
  }): void;
  /** Forgets faults that have struck nobody yet. */
  clearFaults(): void;
  close(): Promise<void>;
}

export interface FakeRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}

export interface FakeReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text goes out as HTML or plain text, anything else as JSON. */
  readonly body: unknown;
}

/** What a fake has to say for itself; faults of the wire are common to all. */
export interface Vendor {
  readonly faults: readonly FaultKind[];
  /** null for requests that no fault strikes (tokens, unknown paths). */
  operationOf(request: FakeRequest): Operation | null;
  /** Carries the request out; what is committed is in the ledger when it returns. */
  handle(request: FakeRequest, fault: Fault | null): FakeReply;
  /** The vendor's own way to say 401, 429 and 500. */
  error(status: 401 | 429 | 500): FakeReply;
}

const bodyBytesMax = 5_242_880;

/** Starts a fake: its vendor's API, `GET /__ledger`, and `GET|POST|DELETE /__faults`. */
export async function startFakeServer(
  options: FakeOptions,
  makeVendor: (ledger: Ledger) => Vendor,
): Promise<FakeServer> {
  const ledger = new Ledger(options.ledgerFile);
  const faults = new FaultQueue();
  const vendor = makeVendor(ledger);
  const timers = new Set<NodeJS.Timeout>();
  const fake: Fake = { vendor, ledger, faults, timers, log: options.log ?? (() => undefined) };
  const server = createServer((request, response) => {
    receive(fake, request, response).catch((error: unknown) => {
      fake.log(`failed: ${String(error)}`);
      response.destroy();
    });
  });
  server.listen(options.listen.port, options.listen.host);
  await once(server, "listening");
  return {
    url: urlOf(server),
    ledger: () => ledger.entries(),
    until: (isSo) => ledger.until(isSo),
    inject: (fault) => {
      const parsed = parseFault(fault, vendor.faults);
      if (typeof parsed === "string") {
        throw new TypeError(parsed);
      }
      faults.add(parsed);
    },
    clearFaults: () => faults.clear(),
    close: () => stop(server, timers),
  };
}

interface Fake {
  readonly vendor: Vendor;
  readonly ledger: Ledger;
  readonly faults: FaultQueue;
  readonly timers: Set<NodeJS.Timeout>;
  readonly log: (line: string) => void;
}

function urlOf(server: Server): string {
  const { address, port, family } = server.address() as AddressInfo;
  return `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}

async function stop(server: Server, timers: Set<NodeJS.Timeout>): Promise<void> {
  for (const timer of timers) {
    clearTimeout(timer);
  }
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
}

async function receive(fake: Fake, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const request = await readRequest(incoming);
  if (request === null) {
    answer(response, { status: 413, body: { error: "too large" } });
    return;
  }
  const control = controlReply(fake, request);
  if (control !== null) {
    answer(response, control);
    return;
  }
  const operation = fake.vendor.operationOf(request);
  const fault = operation === null ? null : fake.faults.take(operation);
  fake.log(`${request.method} ${request.url.pathname}${fault === null ? "" : ` (${fault.kind})`}`);
  strike(fake, fault, { request, response });
}

async function readRequest(incoming: IncomingMessage): Promise<FakeRequest | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bodyBytesMax) {
      return null;
    }
    chunks.push(chunk);
  }
  return {
    method: incoming.method ?? "GET",
    url: new URL(incoming.url ?? "/", "http://fake"),
    headers: incoming.headers,
    text: Buffer.concat(chunks).toString("utf8"),
  };
}

/** Faults of the wire are played here; those of the data are left to the vendor. */
function strike(
  fake: Fake,
  fault: Fault | null,
  { request, response }: { readonly request: FakeRequest; readonly response: ServerResponse },
): void {
  switch (fault?.kind) {
    case "drop_reply":
      fake.vendor.handle(request, null);
      response.destroy();
      return;
    case "late_commit":
      response.destroy();
      later(fake, fault.delay_ms, () => fake.vendor.handle(request, null));
      return;
    case "slow":
      later(fake, fault.delay_ms, () => answer(response, fake.vendor.handle(request, null)));
      return;
    case "rate_limit":
      answer(response, limited(fake.vendor.error(429), fault));
      return;
    case "server_error":
      answer(response, fake.vendor.error(500));
      return;
    case "unauthorized":
      answer(response, fake.vendor.error(401));
      return;
    case "html_200":
      answer(response, { status: 200, body: "<html><body><h1>Your instance is hibernating</h1></body></html>" });
      return;
    case undefined:
    case "unrelated_row":
    case "two_rows":
    case "search_lag":
    case "closed":
      answer(response, fake.vendor.handle(request, fault));
  }
}

function limited(reply: FakeReply, fault: Fault): FakeReply {
  return { ...reply, headers: { ...reply.headers, "retry-after": String(Math.ceil(fault.delay_ms / 1000)) } };
}

function later(fake: Fake, delayMs: number, act: () => void): void {
  const timer = setTimeout(() => {
    fake.timers.delete(timer);
    act();
  }, delayMs);
  fake.timers.add(timer);
}

function controlReply(fake: Fake, request: FakeRequest): FakeReply | null {
  const { pathname } = request.url;
  if (pathname === "/__ledger" && request.method === "GET") {
    return { status: 200, body: fake.ledger.entries() };
  }
  if (pathname !== "/__faults") {
    return null;
  }
  if (request.method === "DELETE") {
    fake.faults.clear();
  } else if (request.method === "POST") {
    const fault = parseFault(parseJson(request.text), fake.vendor.faults);
    if (typeof fault === "string") {
      return { status: 400, body: { error: fault } };
    }
    fake.faults.add(fault);
  }
  return { status: 200, body: fake.faults.list() };
}

/** undefined for what is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function answer(response: ServerResponse, reply: FakeReply): void {
  const { body } = reply;
  const text = typeof body === "string" ? body : JSON.stringify(body);
  response.writeHead(reply.status, { "content-type": `${typeOf(body)};charset=utf-8`, ...reply.headers });
  response.end(text);
}

function typeOf(body: unknown): string {
  if (typeof body !== "string") {
    return "application/json";
  }
  return body.startsWith("<") ? "text/html" : "text/plain";
}
