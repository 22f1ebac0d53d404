import { createRequire } from "node:module";
import type { Test } from "tap";

const load = createRequire(import.meta.url);

/** Kafka's numbers of requests. */
export const api = { produce: 0, fetch: 1, listOffsets: 2, metadata: 3, heartbeat: 12, apiVersions: 18 } as const;

/** What becomes of a request: it never arrives, its answer is lost, or its connection breaks; in both never an answer. */
export type Fate = "pass" | "swallow" | "lose_answer" | "break";

interface Request {
  readonly request: { readonly apiKey: number };
}

interface Connection {
  send(request: Request): Promise<unknown>;
}

interface Broker {
  apiVersions(): Promise<Record<number, { minVersion: number; maxVersion: number }>>;
}

/** Stands between this process and all brokers, for one test. Returns how often a request was sent. */
export function tapWire(t: Test, fateOf: (apiKey: number) => Fate): (apiKey: number) => number {
  const { prototype } = load("kafkajs/src/network/connection") as { prototype: Connection };
  const original = prototype.send;
  const seen: number[] = [];
  t.teardown(() => {
    prototype.send = original;
  });
  prototype.send = async function tapped(this: Connection, request: Request) {
    const { apiKey } = request.request;
    seen.push(apiKey);
    const fate = fateOf(apiKey);
    if (fate === "break") throw new Error("the connection broke");
    const answer = fate === "swallow" ? null : await original.call(this, request);
    return fate === "pass" ? answer : new Promise<never>(() => {});
  };
  return (apiKey) => seen.filter((one) => one === apiKey).length;
}

/** Makes every broker seem to know a request in no later version than this. */
export function capVersion(t: Test, apiKey: number, maxVersion: number): void {
  const { prototype } = load("kafkajs/src/broker") as { prototype: Broker };
  const original = prototype.apiVersions;
  t.teardown(() => {
    prototype.apiVersions = original;
  });
  prototype.apiVersions = async function capped(this: Broker) {
    const versions = await original.call(this);
    return { ...versions, [apiKey]: { minVersion: versions[apiKey]?.minVersion ?? 0, maxVersion } };
  };
}
