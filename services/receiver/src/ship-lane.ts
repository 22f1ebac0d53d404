import { hasCode, type Logger, WinnowError } from "@winnow/platform";
import type { AppendRecord, Clock, EventLog, PartitionBounds, StoredRecord } from "@winnow/ports";
import { findResume } from "./find-resume.ts";
import { boundsOf, type FoundRecord } from "./recover-seqs.ts";
import { misfit, type ShipMark } from "./ship-marks.ts";
import { ShipTrouble } from "./ship-trouble.ts";
import { ShipWaiters } from "./ship-waiters.ts";

export interface ShipLaneOptions {
  readonly local: EventLog;
  readonly shared: EventLog;
  readonly receiverId: string;
  readonly partition: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told of records that the shared log has taken. */
  readonly onShipped: (records: number) => void;
}

/** One append takes about this much, and at least one record. */
const batchBytes = 1024 * 1024;
/** How often the shared log is looked at, whether it still has what it took, even while nothing fails. */
const checkMs = 10_000;
/** The same before sending to a shared log that was not heard of for so long: no server comes back sooner. */
const unheardMs = 1_000;

/**
 * Ships one partition of the local log, in order, one append in flight. Nothing is skipped and nothing given up: what
 * failed is sent again, from the same record on, as long as it takes. Before anything is sent after a failure, and now
 * and then besides, the shared log is asked whether it still holds the record sent last; when it does not, shipping
 * goes back to the record behind the last one it has.
 */
export class ShipLane {
  readonly #options: ShipLaneOptions;
  readonly #waiters: ShipWaiters;
  readonly #trouble: ShipTrouble;
  #mark: ShipMark;
  #localEnd: number;
  /** When the oldest record that is not shipped was received, epoch ms; never later than the truth. */
  #oldestMs: number | null = null;
  /** When the local log was last asked for its end, epoch ms. */
  #lookedMs: number;
  /** Monotonic time of the last check; null when the next thing to do is a check. */
  #checkedAt: number | null = null;
  /** Monotonic time of the last good answer. */
  #heardAt = 0;
  /** Records that go one by one, since the shared log refused them together. */
  #alone = 0;

  private constructor(options: ShipLaneOptions, mark: ShipMark, localEnd: number) {
    this.#options = options;
    this.#waiters = new ShipWaiters(options.clock);
    this.#trouble = new ShipTrouble(options.clock, options.logger.child({ partition: options.partition }));
    this.#mark = mark;
    this.#localEnd = localEnd;
    this.#lookedMs = options.clock.now();
  }

  /** `mark` must fit the local log: see `fittingMark`. Rejects with the local log's WinnowError. */
  static async open(options: ShipLaneOptions, mark: ShipMark): Promise<ShipLane> {
    const { local, partition } = options;
    const { end_offset } = await local.status("alerts", partition);
    const lane = new ShipLane(options, mark, end_offset);
    try {
      lane.#noteOldest(await local.read("alerts", partition, mark.shipped, 1));
    } catch (error) {
      // Alerts are taken all the same; shipping meets it again and raises the alarm.
      if (!hasCode(error, "log_corrupt")) throw error;
    }
    return lane;
  }

  get mark(): ShipMark {
    return this.#mark;
  }

  /** False while the last thing tried failed. */
  get isWell(): boolean {
    return this.#trouble.isOver;
  }

  get waiting(): number {
    return Math.max(0, this.#localEnd - this.#mark.shipped);
  }

  oldestMs(): number {
    if (this.#oldestMs === null || this.waiting === 0) return 0;
    return Math.max(0, this.#options.clock.now() - this.#oldestMs);
  }

  /** Asks the local log for its end; resolves with it. */
  async look(): Promise<number> {
    const asked = this.#options.clock.now();
    const { end_offset } = await this.#options.local.status("alerts", this.#options.partition);
    // What came since the last look, while nothing was read, is not older than that look.
    if (this.#oldestMs === null && end_offset > this.#mark.shipped) this.#oldestMs = this.#lookedMs;
    this.#lookedMs = asked;
    this.#localEnd = end_offset;
    return end_offset;
  }

  shipped(offset: number, withinMs: number): Promise<boolean> {
    return offset <= this.#mark.shipped ? Promise.resolve(true) : this.#waiters.wait(offset, withinMs);
  }

  /** Ships until the signal is aborted; an append under way then may end later. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#step(signal);
        if (!signal.aborted) this.#trouble.ended(this.waiting);
      } catch (error) {
        if (signal.aborted) break;
        this.#checkedAt = null;
        await this.#options.clock.sleep(this.#trouble.met(error), signal);
      }
    }
    this.#waiters.giveUp();
  }

  async #step(signal: AbortSignal): Promise<void> {
    const from = this.#mark.shipped;
    const batch = await this.#read(from, signal);
    if (signal.aborted) return;
    if (this.#isCheckDue() || (batch.length > 0 && !(await this.#isHeard()))) {
      await this.#check();
      if (signal.aborted || this.#mark.shipped !== from) return;
    }
    if (batch.length > 0) await this.#ship(batch);
  }

  /** What waits, up to a batch; empty when nothing came until the next check. */
  async #read(from: number, signal: AbortSignal): Promise<readonly StoredRecord[]> {
    const { local, partition } = this.#options;
    const batch = await local.read("alerts", partition, from, this.#alone > 0 ? 1 : batchBytes);
    this.#noteOldest(batch);
    if (batch.length === 0 && this.#checkedAt !== null) await this.#waitForMore(from, signal);
    return this.#alone > 0 ? batch.slice(0, 1) : batch;
  }

  #noteOldest(batch: readonly StoredRecord[]): void {
    const [first] = batch;
    this.#oldestMs = first === undefined ? null : receivedMs(first);
    const last = batch.at(-1);
    if (last !== undefined) this.#localEnd = Math.max(this.#localEnd, last.offset + 1);
  }

  async #waitForMore(from: number, signal: AbortSignal): Promise<void> {
    const { local, partition, clock } = this.#options;
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    await Promise.race([local.wait("alerts", partition, from, either), clock.sleep(checkMs, either)]);
    over.abort();
  }

  #isCheckDue(): boolean {
    return this.#checkedAt === null || this.#options.clock.monotonic() - this.#checkedAt >= checkMs;
  }

  /** False when the shared log, asked after a silence, does not have the record that it took last. */
  async #isHeard(): Promise<boolean> {
    const { clock } = this.#options;
    if (clock.monotonic() - this.#heardAt < unheardMs) return true;
    const { last } = this.#mark;
    const isHeard = last !== null && (await this.#has(last));
    if (isHeard) this.#heardAt = clock.monotonic();
    return isHeard;
  }

  /** Does the shared log still hold what it took? Else shipping goes back. */
  async #check(): Promise<void> {
    const { shared, partition, clock } = this.#options;
    const bounds = await boundsOf(shared, partition);
    if (await this.#isKept(bounds)) this.#mark = { ...this.#mark, shared_end: bounds.end_offset };
    else await this.#goBack(bounds);
    this.#checkedAt = clock.monotonic();
    this.#heardAt = this.#checkedAt;
  }

  async #isKept({ log_id, start_offset, end_offset }: PartitionBounds): Promise<boolean> {
    const { shared_log_id, shared_end, last } = this.#mark;
    if (shared_log_id !== log_id || end_offset < shared_end) return false;
    // Below the start it was processed: Kafka lets nothing go before.
    if (last === null || last.offset < start_offset) return true;
    return this.#has(last);
  }

  async #has(last: FoundRecord): Promise<boolean> {
    const { shared, partition } = this.#options;
    try {
      const [record] = await shared.read("alerts", partition, last.offset, 1);
      if (record?.offset !== last.offset || record.value.kind !== "events") return false;
      return record.value.receiver_id === last.receiver_id && record.value.seq === last.seq;
    } catch (error) {
      if (hasCode(error, "log_offset_beyond_end") || hasCode(error, "log_offset_trimmed")) return false;
      throw error;
    }
  }

  /** Ships again from behind the last record that the shared log has. */
  async #goBack(bounds: PartitionBounds): Promise<void> {
    const { logger, partition } = this.#options;
    const was = this.#mark;
    const { offset, last } = await findResume(this.#options, bounds);
    this.#mark = { ...was, shipped: offset, last, shared_log_id: bounds.log_id, shared_end: bounds.end_offset };
    if (was.shared_log_id !== null && offset < was.shipped) {
      const message = "the shared log lost records that it had taken: they are sent again";
      logger.warn(message, { partition, records: was.shipped - offset, from_offset: offset });
    }
  }

  async #ship(batch: readonly StoredRecord[]): Promise<void> {
    const { shared, partition, clock, onShipped } = this.#options;
    const records = batch.flatMap(({ value }): AppendRecord[] =>
      value.kind === "events" ? [{ value, events: value.items.length }] : [],
    );
    if (records.length > 0) {
      const first = await this.#append(records);
      if (first === "too_large_together") {
        this.#alone = records.length;
        return;
      }
      if (first < this.#mark.shared_end) {
        // What this append wrote stands behind a hole, and does not count.
        await this.#goBack({ ...(await boundsOf(shared, partition)), end_offset: first });
        return;
      }
      this.#heardAt = clock.monotonic();
      onShipped(records.length);
      this.#sent(records, first);
    }
    this.#passed(batch);
  }

  async #append(records: readonly AppendRecord[]): Promise<number | "too_large_together"> {
    try {
      return await this.#options.shared.append("alerts", this.#options.partition, records);
    } catch (error) {
      if (hasCode(error, "log_record_too_large") && records.length > 1) return "too_large_together";
      throw error;
    }
  }

  #sent(records: readonly AppendRecord[], first: number): void {
    this.#alone = Math.max(0, this.#alone - records.length);
    const value = records.at(-1)?.value;
    if (value?.kind !== "events") return;
    const { receiver_id, seq } = value;
    const offset = first + records.length - 1;
    const isOwn = receiver_id === this.#options.receiverId;
    this.#mark = {
      ...this.#mark,
      last: { receiver_id, seq, offset },
      shared_end: offset + 1,
      seq_max: isOwn ? Math.max(seq, this.#mark.seq_max) : this.#mark.seq_max,
    };
  }

  #passed(batch: readonly StoredRecord[]): void {
    const last = batch.at(-1);
    if (last === undefined) return;
    // Not null: what lies behind is not older than this, and the next read tells whether there is anything.
    this.#oldestMs = receivedMs(last);
    this.#mark = { ...this.#mark, shipped: last.offset + 1 };
    this.#waiters.reached(last.offset + 1);
  }
}

function receivedMs({ value, appended_ms }: StoredRecord): number {
  return value.kind === "events" ? value.received_ms : appended_ms;
}

/**
 * The mark to go on from, given what is stored and what the local log is now. Throws `log_replaced` when the local log
 * is not the one that was shipped while the receiver's id still is: see `localReceiver`.
 */
export function fittingMark(
  stored: ShipMark | null,
  bounds: PartitionBounds,
  own: { readonly isSameReceiver: boolean; readonly partition: number },
): ShipMark {
  const why = stored === null ? null : misfit(stored, bounds);
  if (why !== null && own.isSameReceiver) {
    const message = `the receiver needs a new id: ${why}`;
    throw new WinnowError("log_replaced", message, { fields: { partition: own.partition } });
  }
  if (stored === null || stored.log_id !== bounds.log_id) {
    const from = { log_id: bounds.log_id, shipped: bounds.start_offset };
    return { ...from, last: null, shared_log_id: null, shared_end: 0, seq_max: 0 };
  }
  const shipped = Math.min(Math.max(stored.shipped, bounds.start_offset), bounds.end_offset);
  return { ...stored, shipped, seq_max: own.isSameReceiver ? stored.seq_max : 0 };
}
