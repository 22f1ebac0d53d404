import type { IncidentMember } from "@winnow/contracts";
import type {
  Activation,
  CommitMeta,
  DeliveryKey,
  DeliveryQueue,
  DeliveryRow,
  DeliveryUpdate,
  IncidentReader,
  IncidentRecorder,
  IncidentRow,
  Page,
  RecordBatch,
  TimelineRowStored,
} from "@winnow/ports";
import { storeFailed, storeLost } from "./faulty-window-store.ts";
import type { IncidentTables } from "./incident-tables.ts";
import type { Operations } from "./operations.ts";
import type { VirtualProcess } from "./virtual-process.ts";

/** What stage C, the router and the activation of rules use of the incident store. */
export type WorkingIncidentStore = IncidentRecorder &
  DeliveryQueue &
  Pick<IncidentReader, "incident" | "members" | "timeline" | "deliveriesOf"> & {
    activate(digest: string): Promise<Activation>;
  };

/** The incident store as one process sees it; its clock is the world's. */
export class FaultyIncidentStore implements WorkingIncidentStore {
  readonly #tables: IncidentTables;
  readonly #process: VirtualProcess;
  readonly #operations: Operations;

  constructor(tables: IncidentTables, process: VirtualProcess, operations: Operations) {
    this.#tables = tables;
    this.#process = process;
    this.#operations = operations;
  }

  claim(partition: number, token: string): ReturnType<IncidentRecorder["claim"]> {
    return this.#write("incidents.claim", () => this.#tables.claim(partition, token));
  }

  load(
    partition: number,
    token: string,
    position: number,
    ids: readonly string[],
  ): ReturnType<IncidentRecorder["load"]> {
    return this.#read("incidents.load", () => this.#tables.load(partition, token, position, ids));
  }

  commit(
    partition: number,
    token: string,
    previous: number,
    commit: { readonly meta: CommitMeta; readonly batch: RecordBatch },
  ): ReturnType<IncidentRecorder["commit"]> {
    return this.#write("incidents.commit", () => this.#tables.commit(partition, token, previous, commit));
  }

  verify(partition: number, token: string, position: number): Promise<boolean> {
    return this.#read("incidents.verify", () => this.#tables.verify(partition, token, position));
  }

  storeNow(): Promise<number> {
    return this.#read("deliveries.now", () => this.#now);
  }

  lease(destination: string, options: Parameters<DeliveryQueue["lease"]>[1]): Promise<readonly DeliveryRow[]> {
    return this.#write("deliveries.lease", () => this.#tables.deliveries.lease(destination, options, this.#now));
  }

  markInflight(
    key: DeliveryKey,
    token: string,
    sent: { readonly version: number; readonly seq: number },
  ): Promise<number | null> {
    return this.#write("deliveries.inflight", () => this.#tables.deliveries.markInflight(key, token, sent, this.#now));
  }

  settle(key: DeliveryKey, token: string, update: DeliveryUpdate): Promise<boolean> {
    return this.#write("deliveries.settle", () => this.#tables.deliveries.settle(key, token, update, this.#now));
  }

  recoverInflight(): Promise<number> {
    return this.#write("deliveries.recover", () => this.#tables.deliveries.recoverInflight(this.#now));
  }

  nextDue(destination: string): Promise<number | null> {
    return this.#read("deliveries.next", () => this.#tables.deliveries.nextDue(destination, this.#now));
  }

  requeue(destination: string): Promise<number> {
    return this.#write("deliveries.requeue", () => this.#tables.deliveries.requeue(destination, this.#now));
  }

  epoch(): Promise<number | null> {
    return this.#read("deliveries.epoch", () => null);
  }

  incident(id: string): Promise<IncidentRow | null> {
    return this.#read("incidents.read", () => this.#tables.incident(id));
  }

  members(id: string, page: { readonly limit: number }): Promise<Page<IncidentMember>> {
    return this.#read("incidents.members", () => ({
      items: this.#tables.members(id).slice(0, page.limit),
      next_cursor: null,
    }));
  }

  timeline(id: string, after: number, limit: number): Promise<readonly TimelineRowStored[]> {
    return this.#read("incidents.timeline", () => this.#tables.timeline(id).slice(after, after + limit));
  }

  deliveriesOf(ids: readonly string[]): Promise<readonly DeliveryRow[]> {
    return this.#read("deliveries.of", () => this.#tables.deliveries.rowsOf(ids));
  }

  activate(digest: string): Promise<Activation> {
    return this.#write("rules.activate", () => this.#tables.activate(digest));
  }

  get #now(): number {
    return this.#operations.time.now;
  }

  #read<Value>(name: string, apply: () => Value): Promise<Value> {
    return this.#operations.call(this.#process, { name, effect: false, apply, failed: storeFailed });
  }

  #write<Value>(name: string, apply: () => Value): Promise<Value> {
    return this.#operations.call(this.#process, { name, effect: true, apply, failed: storeFailed, lost: storeLost });
  }
}
