import type { Topic } from "@winnow/contracts";
import { WinnowError } from "@winnow/platform";
import type { AppendRecord, EventLog, StoredRecord } from "@winnow/ports";
import type { AgedRecord, DiskPartition, DiskRecord, LogDisk } from "./log-disk.ts";
import type { Operations } from "./operations.ts";
import type { VirtualProcess } from "./virtual-process.ts";

const recordsPerRead = 16;
const syncMsMax = 12;
/** After so long the machine writes its cache back by itself. */
const writeBackMs = 5_000;

const unanswered = (): WinnowError => new WinnowError("store_unavailable", "the log did not answer");
const refused = (): WinnowError => new WinnowError("log_write_failed", "the write failed");
const unknown = (): WinnowError => new WinnowError("log_unknown", "the log did not answer in time");

/** How a process reaches the log. */
export interface LogAccess {
  /** True in one process with its log: an append's end is always known. False: it may stay unknown. */
  readonly definite: boolean;
  /** A planted fault: appends are answered from the cache, without a sync. */
  readonly answersFromCache?: boolean;
  /** A log of the cluster: receivers' records say their age, and what may be trimmed is trimmed at once. */
  readonly shared?: boolean;
}

/** The log as one process sees it. Every append is two operations: into the cache, then onto the disk. */
export class FaultyEventLog implements EventLog {
  readonly #disk: LogDisk;
  readonly #process: VirtualProcess;
  readonly #operations: Operations;
  readonly #access: LogAccess;

  constructor(disk: LogDisk, process: VirtualProcess, operations: Operations, access: LogAccess) {
    this.#disk = disk;
    this.#process = process;
    this.#operations = operations;
    this.#access = access;
  }

  get partitions(): number {
    return this.#disk.partitions;
  }

  status(topic: Topic, partition: number): ReturnType<EventLog["status"]> {
    return this.#read("log.status", () => this.#disk.file(topic, partition).status());
  }

  read(topic: Topic, partition: number, offset: number): Promise<readonly StoredRecord[]> {
    return this.#read(`log.read ${topic}`, () => this.#disk.file(topic, partition).read(offset, recordsPerRead));
  }

  #read<Value>(name: string, apply: () => Value): Promise<Value> {
    return this.#operations.call(this.#process, { name, effect: false, apply, failed: unanswered });
  }

  async append(topic: Topic, partition: number, records: readonly AppendRecord[]): Promise<number> {
    const lost = this.#access.definite ? {} : { lost: unknown };
    // The age is told when it is sent: how long the way takes from there, the log's own time says.
    const aged = records.map((record) => this.#aged(record));
    const written = await this.#operations.call(this.#process, {
      name: `log.write ${topic}`,
      effect: true,
      apply: () => this.#written(topic, partition, aged),
      failed: refused,
      ...lost,
    });
    const file = this.#disk.file(topic, partition);
    if (this.#access.answersFromCache === true) return offsetOf(file, written);
    return this.#operations.call(this.#process, {
      name: `log.sync ${topic}`,
      effect: true,
      apply: () => {
        file.sync();
        return offsetOf(file, written);
      },
      failed: () => (written.every((record) => file.void(record, () => !this.#process.alive)) ? refused() : null),
      latencyMs: syncMsMax,
      ...lost,
    });
  }

  #aged(record: AppendRecord): AgedRecord {
    const { value } = record;
    if (this.#access.shared !== true || value.kind !== "events") return record;
    return { ...record, age_ms: Math.max(0, this.#process.clock.now() - value.received_ms) };
  }

  #written(topic: Topic, partition: number, records: readonly AgedRecord[]): readonly DiskRecord[] {
    const { time } = this.#operations;
    const file = this.#disk.file(topic, partition);
    if (!file.writingBack) {
      file.writingBack = true;
      time.after(writeBackMs, () => {
        file.writingBack = false;
        file.sync();
      });
    }
    return this.#disk.write(topic, partition, records, time.now);
  }

  wait(topic: Topic, partition: number, offset: number, signal: AbortSignal): Promise<boolean> {
    const file = this.#disk.file(topic, partition);
    if (signal.aborted || offset < file.served) return Promise.resolve(!signal.aborted);
    return new Promise((resolve) => {
      const end = (found: boolean) => {
        signal.removeEventListener("abort", stop);
        giveUp();
        this.#process.deliver(() => {
          resolve(found);
        });
      };
      const stop = () => {
        end(false);
      };
      const giveUp = file.wait(offset, () => {
        end(true);
      });
      signal.addEventListener("abort", stop, { once: true });
    });
  }

  async trim(topic: Topic, partition: number, offset: number): Promise<void> {
    const file = this.#disk.file(topic, partition);
    if (this.#access.shared !== true || offset <= file.start) return;
    await this.#operations.call(this.#process, {
      name: `log.trim ${topic}`,
      effect: true,
      apply: () => {
        if (file.trim(offset) > 0) this.#operations.counts.add("log_trimmed");
      },
      failed: unanswered,
      lost: unknown,
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function offsetOf(file: DiskPartition, written: readonly DiskRecord[]): number {
  const first = written[0];
  return first === undefined ? file.synced : file.records.indexOf(first);
}
