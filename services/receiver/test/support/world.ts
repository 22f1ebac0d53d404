import { connect } from "node:net";
import { type Logger, Metrics, silentLogger } from "@winnow/platform";
import type { Clock } from "@winnow/ports";
import { authKinds, type Source } from "@winnow/sources";
import type { FastifyInstance } from "fastify";
import { createHttpServer } from "../../src/http-server.ts";
import { webhookRoutes } from "../../src/inbound.ts";
import type { Credential, Integration } from "../../src/integrations.ts";
import { type ReceiverLimits, receiverLimits } from "../../src/limits.ts";
import { Receiver } from "../../src/receiver.ts";
import { MemoryLog } from "./memory-log.ts";
import { listSource } from "./sources.ts";

export const token = "correct-horse-battery-staple";

/** A clock that stands still until it is moved. */
class FakeClock implements Clock {
  time = Date.parse("2026-11-24T10:00:00Z");

  now(): number {
    return this.time;
  }

  monotonic(): number {
    return this.time;
  }

  advance(ms: number): void {
    this.time += ms;
  }

  sleep(): Promise<void> {
    return Promise.resolve();
  }
}

export function credential(secret: string, more: Partial<Credential> = {}): Credential {
  return { kinds: authKinds, secret: { reveal: () => secret }, ...more };
}

export function integration(name: string, source: Source = listSource, more: Partial<Integration> = {}): Integration {
  return { name, source, credentials: [credential(token)], settings: {}, tenant: "default", scope: "default", ...more };
}

export interface WorldOptions {
  readonly integrations?: readonly Integration[];
  readonly limits?: Partial<ReceiverLimits>;
  readonly log?: MemoryLog;
  readonly logger?: Logger;
  readonly lastSeqs?: readonly number[];
  readonly afterDurable?: (ends: ReadonlyMap<number, number>) => Promise<void>;
  readonly routes?: (app: FastifyInstance, receiver: Receiver) => void;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: Record<string, unknown>;
}

/** A receiver behind a real socket. */
export async function startWorld(options: WorldOptions = {}) {
  const log = options.log ?? new MemoryLog();
  const clock = new FakeClock();
  const metrics = new Metrics();
  const delivered: [string, number][] = [];
  const receiver = new Receiver({
    integrations: options.integrations ?? [integration("prom")],
    log,
    receiverId: "r1",
    lastSeqs: options.lastSeqs ?? Array.from({ length: log.partitions }, () => 0),
    clock,
    metrics,
    logger: options.logger ?? silentLogger(),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    onDelivered: (name, at) => delivered.push([name, at]),
    ...(options.afterDurable === undefined ? {} : { afterDurable: options.afterDurable }),
  });
  const app = createHttpServer({ ...receiverLimits, ...options.limits });
  (options.routes ?? webhookRoutes)(app, receiver);
  await app.listen({ port: 0, host: "127.0.0.1" });
  const address = app.server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const url = `http://127.0.0.1:${port}`;

  const send = async (path: string, init: RequestInit = {}): Promise<Answer> => {
    const response = await fetch(url + path, { method: "POST", ...init });
    const text = await response.text();
    let json: unknown = null;
    try {
      json = JSON.parse(text);
    } catch {
      // Not every answer is JSON.
    }
    return { status: response.status, headers: response.headers, text, json: json as Record<string, unknown> };
  };
  const post = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}): Promise<Answer> =>
    send("/v1/in/prom", { body, headers: { "x-winnow-token": token, ...headers } });
  const metric = async (line: string): Promise<number> => {
    const found = (await metrics.render()).split("\n").find((text) => text.startsWith(`${line} `));
    return Number(found?.split(" ").at(-1) ?? 0);
  };
  return { app, clock, close: () => app.close(), delivered, log, metric, metrics, port, post, receiver, send, url };
}

export type World = Awaited<ReturnType<typeof startWorld>>;

/** A raw connection: `write` as it likes, `ended` resolves with all that came back once the server closes it. */
export function rawSocket(port: number) {
  const socket = connect(port, "127.0.0.1");
  let received = "";
  const { promise: ended, resolve } = Promise.withResolvers<string>();
  const waiters: { readonly pattern: RegExp; readonly resolve: (text: string) => void }[] = [];
  socket.on("data", (chunk) => {
    received += chunk.toString("latin1");
    for (const { pattern, resolve: found } of waiters) if (pattern.test(received)) found(received);
  });
  socket.on("error", () => undefined);
  socket.on("close", () => {
    resolve(received);
  });
  const until = (pattern: RegExp): Promise<string> => {
    const { promise, resolve: found } = Promise.withResolvers<string>();
    waiters.push({ pattern, resolve: found });
    if (pattern.test(received)) found(received);
    return promise;
  };
  return { socket, ended, until, write: (text: string | Uint8Array) => socket.write(text) };
}

/** `{alerts: [{name}, …]}` */
export function alerts(...names: string[]): string {
  return JSON.stringify({ alerts: names.map((name) => ({ name })) });
}
