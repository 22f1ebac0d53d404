import type { EventsRecord, Topic } from "@winnow/contracts";
import { type ErrorCode, WinnowError } from "@winnow/platform";
import type { AppendRecord, EventLog, PartitionStatus, StoredRecord } from "@winnow/ports";
import { VirtualProcess, VirtualTime } from "@winnow/testkit";

/** What befalls one request to the shared log. */
export type RequestFault =
  /** A definite no. */
  | { readonly refused: ErrorCode }
  /** The answer is lost, of a request that was carried out, in part or not at all. */
  | { readonly lost: "after" | "half" | "before" }
  /** It is given up by its sender, and carried out `afterMs` later. */
  | { readonly late: number };

const requestMs = 2;
/** How long a client waits before it gives a request up. */
const giveUpMs = 300;

/** The shared log as a server far away: what was sent to it may arrive after its sender has given up, or has died. */
export class RemoteLog {
  readonly time: VirtualTime;
  readonly partitions: number;
  logId = "shared-1";
  startOffset = 0;
  /** Largest batch, records. */
  recordsMax = Number.POSITIVE_INFINITY;
  /** Appends that were carried out, one entry each: numbers of records. */
  readonly batches: number[] = [];
  underWayMax = 0;
  #records: StoredRecord[][];
  #faults: RequestFault[] = [];
  #down: ErrorCode | null = null;
  #era = 0;
  #underWay = 0;

  constructor(time: VirtualTime, partitions = 1) {
    this.time = time;
    this.partitions = partitions;
    this.#records = Array.from({ length: partitions }, () => []);
  }

  records(partition = 0): StoredRecord[] {
    return this.#records[partition] ?? [];
  }

  seqs(receiverId = "r1", partition = 0): number[] {
    return this.records(partition).flatMap(({ value }) =>
      value.kind === "events" && value.receiver_id === receiverId ? [value.seq] : [],
    );
  }

  /** The next appends are befallen so, one each. */
  failNext(...faults: RequestFault[]): void {
    this.#faults.push(...faults);
  }

  /** Every request is answered so, or, with null, carried out again. */
  down(code: ErrorCode | null): void {
    this.#down = code;
  }

  /** The server forgets its newest records, and all requests under way. */
  loseTail(count: number, partition = 0): void {
    this.#era += 1;
    const records = this.records(partition);
    records.length = Math.max(this.startOffset, records.length - count);
  }

  makeAnew(): void {
    this.#era += 1;
    this.#records = this.#records.map(() => []);
    this.startOffset = 0;
    this.logId = `${this.logId}+`;
  }

  /** Another receiver writes. */
  others(count: number, partition = 0): void {
    const records = Array.from({ length: count }, () => eventsRecord(this.seqs("r2", partition).length + 1, "r2"));
    for (const value of records) this.#write(partition, [{ value, events: 0 }]);
  }

  client(process: VirtualProcess): EventLog {
    return new RemoteClient(this, process);
  }

  status(partition: number): PartitionStatus {
    const end_offset = this.records(partition).length;
    return { log_id: this.logId, start_offset: this.startOffset, end_offset, events: 0 };
  }

  /** Carries `work` out as a request of the process. */
  request<Value>(process: VirtualProcess, work: () => Value): Promise<Value> {
    if (!process.alive) return new Promise(() => {});
    return new Promise((resolve, reject) => {
      const era = this.#era;
      this.time.after(requestMs, () => {
        const down = this.#down ?? (era === this.#era ? null : "store_unavailable");
        const answer = down === null ? attempt(work) : { error: new WinnowError(down, "injected") };
        process.deliver(() => {
          if ("error" in answer) reject(answer.error);
          else resolve(answer.value);
        });
      });
    });
  }

  append(process: VirtualProcess, partition: number, records: readonly AppendRecord[]): Promise<number> {
    if (!process.alive) return new Promise(() => {});
    this.#underWay += 1;
    this.underWayMax = Math.max(this.underWayMax, this.#underWay);
    const era = this.#era;
    const write = (some = records): number | null => (era === this.#era ? this.#write(partition, some) : null);
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const answer = (ms: number, end: () => void): void => {
      this.time.after(ms, () => {
        this.#underWay -= 1;
        process.deliver(end);
      });
    };
    const unknown = (): void => {
      reject(new WinnowError("log_unknown", "injected"));
    };
    const fault = this.#down === null ? (this.#faults.shift() ?? null) : { refused: this.#down };
    if (records.length > this.recordsMax) {
      answer(requestMs, () => {
        reject(new WinnowError("log_record_too_large", "injected"));
      });
    } else if (fault === null) {
      this.time.after(requestMs, () => {
        const first = write();
        if (first === null) answer(giveUpMs, unknown);
        else
          answer(requestMs, () => {
            resolve(first);
          });
      });
    } else if ("refused" in fault) {
      answer(requestMs, () => {
        reject(new WinnowError(fault.refused, "injected"));
      });
    } else {
      const lateMs = "late" in fault ? giveUpMs + fault.late : requestMs;
      const some = "late" in fault || fault.lost === "after" ? records : records.slice(0, records.length >> 1);
      if ("late" in fault || fault.lost !== "before") this.time.after(lateMs, () => write(some));
      answer(giveUpMs, unknown);
    }
    return promise;
  }

  #write(partition: number, records: readonly AppendRecord[]): number {
    const stored = this.records(partition);
    const first = stored.length;
    // What is stored is what was sent, as JSON, like on a disk.
    const values = records.map(({ value }) => JSON.parse(JSON.stringify(value)) as StoredRecord["value"]);
    for (const value of values) stored.push({ offset: stored.length, appended_ms: this.time.now, value });
    if (records.length > 0) this.batches.push(records.length);
    return first;
  }
}

function attempt<Value>(work: () => Value): { readonly value: Value } | { readonly error: Error } {
  try {
    return { value: work() };
  } catch (error) {
    return { error: error as Error };
  }
}

/** The shared log as one process sees it. */
class RemoteClient implements EventLog {
  readonly #log: RemoteLog;
  readonly #process: VirtualProcess;

  constructor(log: RemoteLog, process: VirtualProcess) {
    this.#log = log;
    this.#process = process;
  }

  get partitions(): number {
    return this.#log.partitions;
  }

  status(): Promise<PartitionStatus> {
    throw new Error("counting is expensive: bounds are enough");
  }

  bounds(_topic: Topic, partition: number): Promise<PartitionStatus> {
    return this.#log.request(this.#process, () => this.#log.status(partition));
  }

  append(_topic: Topic, partition: number, records: readonly AppendRecord[]): Promise<number> {
    return this.#log.append(this.#process, partition, records);
  }

  read(_topic: Topic, partition: number, offset: number): Promise<readonly StoredRecord[]> {
    return this.#log.request(this.#process, () => {
      if (offset < this.#log.startOffset) throw new WinnowError("log_offset_trimmed", "injected");
      if (offset > this.#log.records(partition).length) throw new WinnowError("log_offset_beyond_end", "injected");
      return this.#log.records(partition).slice(offset, offset + 5);
    });
  }

  wait(): Promise<boolean> {
    throw new Error("the shipper does not wait for the shared log");
  }

  trim(): Promise<void> {
    throw new Error("the shipper lets nothing of the shared log go");
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** `received_ms` in steps, so that each record tells where it belongs. */
export function eventsRecord(seq: number, receiver_id = "r1"): EventsRecord {
  return { kind: "events", receiver_id, seq, received_ms: seq, items: [] };
}

/** Lets virtual time pass while real files are written too, until `isDone` says so; fails after 10 s. */
export async function passUntil(time: VirtualTime, isDone: () => boolean, stepMs = 20): Promise<void> {
  const started = performance.now();
  while (!isDone()) {
    if (performance.now() - started > 10_000) throw new Error("it did not come to pass in 10 s");
    await time.runUntil(time.now + stepMs);
  }
}

export function newTime(): VirtualTime {
  return new VirtualTime(1_000_000);
}
