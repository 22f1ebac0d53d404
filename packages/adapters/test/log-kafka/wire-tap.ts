import { createRequire } from "node:module";
import type { Test } from "tap";

const load = createRequire(import.meta.url);

/** Kafka's numbers of requests. */
export const api = { produce: 0, fetch: 1, listOffsets: 2, metadata: 3, heartbeat: 12 } as const;

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

/** Stands between this process and all brokers, for one test. */
export class WireTap {
  readonly seen: number[] = [];
  readonly #prototype = (load("kafkajs/src/network/connection") as { prototype: Connection }).prototype;

  constructor(t: Test, fateOf: (apiKey: number) => Fate) {
    const original = this.#prototype.send;
    const { seen } = this;
    t.teardown(() => {
      this.#prototype.send = original;
    });
    this.#prototype.send = async function tapped(this: Connection, request: Request) {
      const { apiKey } = request.request;
      seen.push(apiKey);
      const never = () => new Promise<never>(() => {});
      switch (fateOf(apiKey)) {
        case "pass":
          return original.call(this, request);
        case "swallow":
          return never();
        case "lose_answer":
          await original.call(this, request);
          return never();
        case "break":
          throw new Error("the connection broke");
      }
    };
  }

  count(apiKey: number): number {
    return this.seen.filter((one) => one === apiKey).length;
  }
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
