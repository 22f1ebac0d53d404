import { join } from "node:path";
import type { Topic } from "@winnow/contracts";
import { assert, type WinnowError } from "@winnow/platform";
import { writeError } from "./errors.ts";
import { encodeHeader, type SegmentHeader, segmentName, type Voids } from "./format.ts";
import { type EncodedGroup, GroupEncoder, type PendingAppend } from "./group.ts";
import type { Settings } from "./options.ts";
import { newSegment, type Segment } from "./segment.ts";

/** A partition's state as its files tell it. */
export interface WriterStart {
  readonly directory: string;
  readonly topic: Topic;
  readonly partition: number;
  readonly logId: string;
  readonly segments: Segment[];
  readonly lastNumber: number;
  readonly endOffset: number;
  readonly events: number;
  /** Handle of the last segment; null when nothing may be appended to it. */
  readonly file: number | null;
}

/**
 * The only one who appends to a partition's files. Calls never overlap: the partition's loop awaits each.
 * After any call `endOffset` and `events` speak of durable records alone.
 */
export class SegmentWriter {
  /** Ascending; the last is the one that grows. */
  readonly segments: Segment[];
  endOffset: number;
  events: number;
  /** What stopped the last write; null while all is well. */
  failure: WinnowError | null = null;
  writeFailures = 0;
  readonly #settings: Settings;
  readonly #start: WriterStart;
  readonly #encoder: GroupEncoder;
  #file: number | null;
  #lastNumber: number;
  #voids: Voids | null = null;

  constructor(settings: Settings, start: WriterStart) {
    this.#settings = settings;
    this.#start = start;
    this.#encoder = new GroupEncoder(settings.groupBytesMax);
    this.segments = start.segments;
    this.endOffset = start.endOffset;
    this.events = start.events;
    this.#file = start.file;
    this.#lastNumber = start.lastNumber;
  }

  /** Makes a group durable. Rejects with `log_full` or `log_write_failed`: then nothing of it is served. */
  async commit(group: readonly PendingAppend[]): Promise<EncodedGroup> {
    try {
      const encoded = await this.#write(group);
      if (this.failure !== null) this.#settings.log.info(this.#where(), "the log can be written again");
      this.failure = null;
      return encoded;
    } catch (error) {
      const failure = error as WinnowError;
      if (this.failure === null) this.#settings.log.error({ ...this.#where(), ...failure.fields }, failure.message);
      this.failure = failure;
      this.writeFailures += 1;
      throw failure;
    }
  }

  /** Starts a new segment unless the last one is empty. */
  async roll(): Promise<void> {
    if (this.#file === null || this.#last().endOffset > this.#last().baseOffset) await this.create();
  }

  /** Starts a segment at the durable end. Once tried, the segment before is never appended to again. */
  async create(): Promise<void> {
    const { files } = this.#settings;
    await this.#release();
    this.#lastNumber += 1;
    const header = this.#header();
    const path = join(this.#start.directory, segmentName(header.segment));
    const bytes = encodeHeader(header);
    let file: number | null = null;
    try {
      file = await files.open(path, "create");
      await files.write(file, bytes, 0);
      await files.sync(file);
      await files.syncDirectory(this.#start.directory);
    } catch (error) {
      await this.#discard(file, path);
      throw writeError(error, "starting a segment", path);
    }
    this.#file = file;
    this.#voids = null;
    this.segments.push(newSegment(path, header, bytes.length));
  }

  /** Closes the file. */
  async close(): Promise<void> {
    await this.#release();
  }

  async #write(group: readonly PendingAppend[]): Promise<EncodedGroup> {
    const nowMs = Math.max(0, Math.floor(this.#settings.clock.now()));
    if (this.#file === null || this.#isFull(nowMs)) await this.create();
    const file = this.#file;
    const segment = this.#last();
    assert(file !== null, "a segment was started");
    const start = { offset: this.endOffset, events: this.events, confirmed: segment.bytes, nowMs };
    const encoded = this.#encoder.encode(group, start);
    await this.#store(file, segment, encoded.bytes);
    segment.index.learn(this.endOffset, segment.bytes);
    segment.bytes += encoded.bytes.length;
    segment.endOffset = encoded.endOffset;
    segment.firstMs ??= nowMs;
    segment.newestMs = nowMs;
    this.endOffset = encoded.endOffset;
    this.events = encoded.events;
    return encoded;
  }

  async #store(file: number, segment: Segment, bytes: Buffer): Promise<void> {
    const { files } = this.#settings;
    try {
      await files.write(file, bytes, segment.bytes);
    } catch (error) {
      await this.#undo(file, segment);
      throw writeError(error, "writing records", segment.path);
    }
    try {
      await files.sync(file);
    } catch (error) {
      await this.#abandon(file, segment);
      throw writeError(error, "syncing records", segment.path);
    }
  }

  /** After a write that ended early (no room, mostly): the file can go on if its tail is cut durably. */
  async #undo(file: number, segment: Segment): Promise<void> {
    const { files } = this.#settings;
    try {
      await files.truncate(file, segment.bytes);
      await files.sync(file);
    } catch {
      await this.#abandon(file, segment);
    }
  }

  /**
   * After a sync error the kernel may call lost pages clean, so this file is never trusted with another record. The
   * next segment says in its header that what stands behind the durable bytes is void. It is started before the
   * append is refused, so that the refusal holds over a crash; where even that fails, the next append tries again.
   */
  async #abandon(file: number, segment: Segment): Promise<void> {
    this.#voids = { segment: segment.number, byte: segment.bytes, offset: segment.endOffset };
    try {
      await this.#settings.files.truncate(file, segment.bytes);
    } catch {
      // Only a help for the case that no segment can be started; the header of the next one is what counts.
    }
    try {
      await this.create();
    } catch (error) {
      this.#settings.log.warn(
        { ...this.#where(), ...(error as WinnowError).fields },
        "no new segment could be started",
      );
    }
  }

  #isFull(nowMs: number): boolean {
    const { bytes, firstMs } = this.#last();
    if (bytes >= this.#settings.segmentBytes && firstMs !== null) return true;
    return firstMs !== null && nowMs - firstMs >= this.#settings.segmentAgeMs;
  }

  #header(): SegmentHeader {
    return {
      log_id: this.#start.logId,
      topic: this.#start.topic,
      partition: this.#start.partition,
      partitions: this.#settings.partitions,
      segment: this.#lastNumber,
      base_offset: this.endOffset,
      base_events: this.events,
      created_ms: this.#settings.clock.now(),
      voids: this.#voids,
    };
  }

  #last(): Segment {
    const last = this.segments.at(-1);
    assert(last !== undefined, "a partition has a segment");
    return last;
  }

  async #release(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    if (file !== null) await closeQuietly(this.#settings, file);
  }

  /** Removes a file whose creation failed. It holds no record: if it comes back, it is empty or stillborn. */
  async #discard(file: number | null, path: string): Promise<void> {
    if (file === null) return;
    await closeQuietly(this.#settings, file);
    try {
      await this.#settings.files.unlink(path);
    } catch {
      // Left behind, it is recognised at the next open.
    }
  }

  #where() {
    return { topic: this.#start.topic, partition: this.#start.partition, end_offset: this.endOffset };
  }
}

/** Every byte that matters was synced before: a failing close loses nothing. */
async function closeQuietly(settings: Settings, file: number): Promise<void> {
  try {
    await settings.files.close(file);
  } catch (error) {
    settings.log.warn({ error: String(error) }, "closing a segment failed");
  }
}
