import type { IncidentStore } from "@winnow/ports";
import type { Test } from "tap";
import { incidentModelCases } from "./incident-store-model.ts";
import { pruneCases } from "./incident-store-prune.ts";
import { queueCases } from "./incident-store-queue.ts";
import { readerCases } from "./incident-store-reader.ts";
import { recorderCases } from "./incident-store-recorder.ts";
import { settingsCases } from "./incident-store-settings.ts";
import { settleCases } from "./incident-store-settle.ts";

/** Storage of one test: several clients may use it at once, as processes would. */
export interface IncidentStorage {
  /** One more client of this storage. */
  connect(): Promise<IncidentStore>;
  /** Moves the store's clock (`storeNow`), for all clients. It stands still by itself. */
  advance(ms: number): Promise<void> | void;
  /** Deletes everything; all clients are closed by then. */
  remove(): Promise<void>;
}

/** How the suite reaches the adapter under test. */
export interface IncidentStoreHarness {
  readonly name: string;
  /** Empty storage of its own. */
  open(options: { readonly partitions: number; readonly coalesceMs: number }): Promise<IncidentStorage>;
}

/** A test's storage and its clients, all closed behind it. */
export class IncidentPlace {
  readonly #storage: IncidentStorage;
  readonly #clients: IncidentStore[] = [];

  constructor(storage: IncidentStorage) {
    this.#storage = storage;
  }

  async connect(): Promise<IncidentStore> {
    const store = await this.#storage.connect();
    this.#clients.push(store);
    return store;
  }

  async advance(ms: number): Promise<void> {
    await this.#storage.advance(ms);
  }

  async close(): Promise<void> {
    for (const store of this.#clients) await store.close();
    await this.#storage.remove();
  }
}

export type IncidentCase = readonly [title: string, body: (t: Test, place: IncidentPlace) => Promise<void>];

/** Every adapter of the IncidentStore port must pass this suite unchanged. */
export async function incidentStoreContract(t: Test, harness: IncidentStoreHarness): Promise<void> {
  const cases = [
    ...recorderCases,
    ...queueCases,
    ...settleCases,
    ...readerCases,
    ...pruneCases,
    ...settingsCases,
    ...incidentModelCases,
  ];
  for (const [title, body] of cases) {
    await t.test(`${harness.name}: ${title}`, async (t) => {
      const place = new IncidentPlace(await harness.open({ partitions: 64, coalesceMs: 15_000 }));
      try {
        await body(t, place);
      } finally {
        await place.close();
      }
    });
  }
}
