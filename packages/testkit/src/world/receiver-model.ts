import type { AlertEvent, DeadLetterNote, EventsRecord } from "@winnow/contracts";
import { alertPartitionKey, partitionOf } from "@winnow/core";
import { hasCode } from "@winnow/platform";
import type { EventLog } from "@winnow/ports";
import type { LogDisk } from "./log-disk.ts";
import type { Operations } from "./operations.ts";
import type { VirtualProcess } from "./virtual-process.ts";

export type ReceivedItem = AlertEvent | DeadLetterNote;

/** Where the log has a part of a request. */
export interface Placement {
  readonly partition: number;
  readonly record: EventsRecord;
}

/** What of a receiver survives its process: born with its local log, lost or put back with it. */
export interface ReceiverDisk {
  receiverId: string;
  /** With `ships`: the local log, one list per partition, and how far each was shipped for sure. */
  readonly spool: EventsRecord[][];
  readonly shipped: number[];
}

export interface ReceiverParts {
  readonly process: VirtualProcess;
  readonly log: EventLog;
  readonly disk: LogDisk;
  readonly own: ReceiverDisk;
  readonly operations: Operations;
  /** False: the log is its own, an ack means a synced append there. True: it keeps its own log and ships it. */
  readonly ships: boolean;
  readonly retryMs: number;
}

export function newReceiverDisk(receiverId: string, partitions: number): ReceiverDisk {
  return {
    receiverId,
    spool: Array.from({ length: partitions }, () => []),
    shipped: Array.from({ length: partitions }, () => 0),
  };
}

/**
 * Uses the event log as the receiver does: one record per request and partition, seq rising by one per partition, one
 * append in flight per partition, an ack only after every part is durable.
 */
export class ReceiverModel {
  readonly #parts: ReceiverParts;
  readonly #next: number[] = [];
  readonly #lanes: Promise<unknown>[] = [];
  readonly #shipping: boolean[] = [];

  private constructor(parts: ReceiverParts) {
    this.#parts = parts;
  }

  /** Opens the log: the tail is synced before anything is told from it, then the last seq of each partition is found. */
  static async open(parts: ReceiverParts): Promise<ReceiverModel> {
    const receiver = new ReceiverModel(parts);
    const { operations, process, disk } = parts;
    for (;;) {
      const failed = () => new Error("the log did not open");
      const opened = await operations
        .call(process, { name: "log.recover", effect: true, apply: () => disk.recover(), failed })
        .then(
          () => true,
          () => false,
        );
      if (opened) break;
      await process.clock.sleep(parts.retryMs);
    }
    for (let partition = 0; partition < disk.partitions; partition += 1) {
      receiver.#next[partition] = 1 + (parts.ships ? lastSpooled(parts.own, partition) : lastSeq(parts, partition));
      receiver.#lanes[partition] = Promise.resolve();
      if (parts.ships) receiver.#ship(partition);
    }
    return receiver;
  }

  /** Resolves with where the request lies once it may be acknowledged, or null for 503. */
  async take(items: readonly ReceivedItem[]): Promise<readonly Placement[] | null> {
    const { disk, process } = this.#parts;
    const received = process.clock.now();
    const byPartition = new Map<number, ReceivedItem[]>();
    for (const item of items) {
      const partition = partitionOf(keyOf(item), disk.partitions);
      const own = byPartition.get(partition) ?? [];
      own.push({ ...item, received_ms: received });
      byPartition.set(partition, own);
    }
    const parts = await Promise.all(
      [...byPartition].map(([partition, own]) => this.#inLane(partition, () => this.#append(partition, own))),
    );
    const placed = parts.filter((placement) => placement !== null);
    return placed.length === parts.length ? placed : null;
  }

  /** One after another per partition, so that a seq that was not used is used by the next. */
  #inLane<Value>(partition: number, work: () => Promise<Value>): Promise<Value> {
    const done = (this.#lanes[partition] ?? Promise.resolve()).then(work);
    this.#lanes[partition] = done.catch(() => null);
    return done;
  }

  async #append(partition: number, items: readonly ReceivedItem[]): Promise<Placement | null> {
    const { own, process, ships } = this.#parts;
    const seq = this.#next[partition] ?? 1;
    const record: EventsRecord = {
      kind: "events",
      receiver_id: own.receiverId,
      seq,
      received_ms: process.clock.now(),
      items,
    };
    if (ships) {
      if (!(await this.#spool(partition, record))) return null;
    } else if (!(await this.#log(partition, record))) return null;
    this.#next[partition] = seq + 1;
    if (ships) this.#ship(partition);
    return { partition, record };
  }

  #spool(partition: number, record: EventsRecord): Promise<boolean> {
    const { operations, process, own } = this.#parts;
    const apply = () => own.spool[partition]?.push(record) !== undefined;
    const failed = () => new Error("the disk failed");
    return operations.call(process, { name: "spool.sync", effect: true, apply, failed }).catch(() => false);
  }

  /** True once it is durable; false when nothing of it ever will be. While that is open: the same record again. */
  async #log(partition: number, record: EventsRecord): Promise<boolean> {
    for (;;) {
      try {
        await this.#parts.log.append("alerts", partition, [{ value: record, events: record.items.length }]);
        return true;
      } catch (error) {
        if (hasCode(error, "log_write_failed")) return false;
        await this.#parts.process.clock.sleep(this.#parts.retryMs);
      }
    }
  }

  /** Sends the spool on, in order, one append in flight; a failed one again and again. */
  #ship(partition: number): void {
    if (this.#shipping[partition] === true) return;
    this.#shipping[partition] = true;
    void this.#shipAll(partition);
  }

  async #shipAll(partition: number): Promise<void> {
    const { own } = this.#parts;
    for (;;) {
      const record = own.spool[partition]?.[own.shipped[partition] ?? 0];
      if (record === undefined) break;
      if (await this.#log(partition, record)) own.shipped[partition] = (own.shipped[partition] ?? 0) + 1;
      else await this.#parts.process.clock.sleep(this.#parts.retryMs);
    }
    this.#shipping[partition] = false;
  }
}

function keyOf(item: ReceivedItem): string {
  return "type" in item ? item.id : alertPartitionKey(item.tenant, item.fingerprint);
}

function lastSpooled(own: ReceiverDisk, partition: number): number {
  return own.spool[partition]?.at(-1)?.seq ?? 0;
}

function lastSeq(parts: ReceiverParts, partition: number): number {
  let last = 0;
  const file = parts.disk.file("alerts", partition);
  for (const { value } of file.records.slice(0, file.served))
    if (value.kind === "events" && value.receiver_id === parts.own.receiverId) last = Math.max(last, value.seq);
  return last;
}
