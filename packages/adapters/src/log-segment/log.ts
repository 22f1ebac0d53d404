import { join } from "node:path";
import { type Topic, topics } from "@winnow/contracts";
import { assert, WinnowError } from "@winnow/platform";
import type { AppendRecord, EventLog } from "@winnow/ports";
import { readError } from "./errors.ts";
import { nodeFiles, type SegmentFiles } from "./files.ts";
import { FreeSpace } from "./free-space.ts";
import * as options from "./options.ts";
import type { Partition } from "./partition.ts";
import { openPartition } from "./recover.ts";
import { type Allowance, applyRetention, totalBytes } from "./retention.ts";
import { type Damage, type PartitionFiles, surveyPartition } from "./survey.ts";

/** What an operator, a readiness check and the metrics want to know. Counts run since the log was opened. */
export interface SegmentLogHealth {
  /** False while appends are refused for want of space, or the last write of any partition failed. */
  readonly writable: boolean;
  readonly reason: "free_space" | "write_failed" | null;
  readonly free_bytes: number | null;
  readonly bytes: number;
  readonly segments: number;
  readonly damages: readonly Damage[];
  readonly groups: number;
  readonly records: number;
  readonly written_bytes: number;
  readonly write_failures: number;
  readonly refused: { readonly free_space: number; readonly queue_full: number; readonly too_large: number };
}

export interface SegmentLog extends EventLog {
  health(): SegmentLogHealth;
}

/**
 * Opens the embedded log, making what is missing, cutting torn ends and syncing what it will serve.
 * Rejects with WinnowError `partitions_changed`, `data_dir_newer`, `log_corrupt` (files that do not belong together,
 * or no readable header in a partition), `log_read_failed`, `log_full` or `log_write_failed`. Damaged records are no
 * reason to refuse: they are logged, and a read that reaches them rejects with `log_corrupt`.
 */
export async function openSegmentLog(given: options.SegmentLogOptions): Promise<SegmentLog> {
  const settings = settle(given);
  const found = await surveyAll(settings, given.dir);
  checkPartitions(settings, found);
  warnOfNewborn(settings, found);
  const opening = await Promise.allSettled(found.map((one) => openPartition(settings, one)));
  const partitions = opening.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const failed = opening.find((one) => one.status === "rejected");
  if (failed !== undefined) {
    for (const partition of partitions) await partition.close();
    throw failed.reason;
  }
  const floorBytes = given.freeSpaceFloorBytes ?? options.freeSpaceFloorBytesDefault;
  const written = () => partitions.reduce((bytes, partition) => bytes + partition.counts.bytes, 0);
  const space = new FreeSpace(settings, { dir: given.dir, floorBytes, written });
  await space.check();
  return new OpenSegmentLog(settings, partitions, space);
}

class OpenSegmentLog implements SegmentLog {
  readonly partitions: number;
  readonly #settings: options.Settings;
  readonly #space: FreeSpace;
  readonly #allowances: readonly Allowance[];
  /** Trims run one after the other. */
  #trimming: Promise<void> = Promise.resolve();

  constructor(settings: options.Settings, partitions: readonly Partition[], space: FreeSpace) {
    this.partitions = settings.partitions;
    this.#settings = settings;
    this.#space = space;
    this.#allowances = partitions.map((partition) => ({ partition, below: 0 }));
  }

  async status(topic: Topic, partition: number) {
    return this.#at(topic, partition).partition.status();
  }

  async append(topic: Topic, partition: number, records: readonly AppendRecord[]) {
    const target = this.#at(topic, partition).partition;
    // A closed log says so rather than that it is full.
    target.refuseClosed();
    this.#space.admit(topic);
    return await target.append(records);
  }

  async read(topic: Topic, partition: number, offset: number, maxBytes: number) {
    return await this.#at(topic, partition).partition.read(offset, maxBytes);
  }

  wait(topic: Topic, partition: number, offset: number, signal: AbortSignal) {
    return this.#at(topic, partition).partition.wait(offset, signal);
  }

  async trim(topic: Topic, partition: number, offset: number) {
    const allowance = this.#at(topic, partition);
    allowance.partition.refuseClosed();
    allowance.below = offset;
    const trimming = this.#trimming.then(() => applyRetention(this.#settings, this.#allowances));
    this.#trimming = trimming.catch(() => undefined);
    await trimming;
  }

  async close() {
    this.#space.close();
    await Promise.all(this.#allowances.map(({ partition }) => partition.close()));
  }

  health(): SegmentLogHealth {
    const all = this.#allowances.map(({ partition }) => partition);
    const sum = (of: (partition: Partition) => number) => all.reduce((total, partition) => total + of(partition), 0);
    const failed = all.some((partition) => partition.failure !== null);
    const reason = this.#space.low ? "free_space" : failed ? "write_failed" : null;
    return {
      writable: reason === null,
      reason,
      free_bytes: this.#space.freeBytes,
      bytes: totalBytes(this.#allowances),
      segments: sum((partition) => partition.segments.length),
      damages: all.flatMap((partition) => partition.damages),
      groups: sum((partition) => partition.counts.groups),
      records: sum((partition) => partition.counts.records),
      written_bytes: sum((partition) => partition.counts.bytes),
      write_failures: sum((partition) => partition.writeFailures),
      refused: {
        free_space: this.#space.refused,
        queue_full: sum((partition) => partition.counts.refusedQueueFull),
        too_large: sum((partition) => partition.counts.refusedTooLarge),
      },
    };
  }

  #at(topic: Topic, partition: number): Allowance {
    const found = this.#allowances[topics.indexOf(topic) * this.partitions + partition];
    assert(found !== undefined && partition >= 0 && partition < this.partitions, "the partition exists");
    return found;
  }
}

function settle(given: options.SegmentLogOptions): options.Settings {
  const partitions = given.partitions ?? options.partitionsDefault;
  const segmentBytes = given.segmentBytes ?? options.segmentBytesDefault;
  assert(Number.isSafeInteger(partitions) && partitions > 0, "partitions is a positive number");
  assert(segmentBytes > 0 && segmentBytes <= options.segmentBytesMax, "segmentBytes is at most 1 GiB");
  const { retention } = given;
  // Two segments in each partition must fit, else the size setting could never be kept.
  const share = Math.max(1024 * 1024, Math.floor(retention.maxBytes / (2 * topics.length * partitions)));
  return {
    partitions,
    segmentBytes: Math.min(segmentBytes, share),
    segmentAgeMs: retention.maxAgeMs / 8,
    retention,
    clock: given.clock,
    log: given.log,
    recordBytesMax: given.recordBytesMax ?? options.recordBytesMaxDefault,
    pendingBytesMax: given.pendingBytesMax ?? options.pendingBytesMaxDefault,
    groupBytesMax: given.groupBytesMax ?? options.groupBytesMaxDefault,
    cacheBytesMax: given.cacheBytesMax ?? options.cacheBytesMaxDefault,
    files: given.fsync === false ? withoutSync(given.fs ?? nodeFiles) : (given.fs ?? nodeFiles),
  };
}

function withoutSync(files: SegmentFiles): SegmentFiles {
  const nothing = () => Promise.resolve();
  return { ...files, sync: nothing, syncDirectory: nothing };
}

async function surveyAll(settings: options.Settings, dir: string): Promise<PartitionFiles[]> {
  const found: PartitionFiles[] = [];
  for (const topic of topics) {
    for (let partition = 0; partition < settings.partitions; partition += 1) {
      found.push(await surveyOne(settings, { directory: join(dir, topic, String(partition)), topic, partition }));
    }
    for (const name of await settings.files.list(join(dir, topic))) {
      if (/^\d+$/.test(name) && Number(name) >= settings.partitions) {
        throw partitionsChanged(settings.partitions, Number(name) + 1);
      }
    }
  }
  return found;
}

async function surveyOne(settings: options.Settings, at: { directory: string; topic: Topic; partition: number }) {
  try {
    return await surveyPartition(settings.files, at);
  } catch (error) {
    throw error instanceof WinnowError ? error : readError(error, at.directory);
  }
}

function checkPartitions(settings: options.Settings, found: readonly PartitionFiles[]): void {
  for (const { partitions } of found) {
    if (partitions !== null && partitions !== settings.partitions) {
      throw partitionsChanged(settings.partitions, partitions);
    }
  }
}

function partitionsChanged(asked: number, stored: number): WinnowError {
  const message = `the log was made with ${stored} partitions and cannot be opened with ${asked}`;
  return new WinnowError("partitions_changed", message, { fields: { asked, stored } });
}

/** A partition that is born beside older ones was lost: its consumers will find another log_id and stop. */
function warnOfNewborn(settings: options.Settings, found: readonly PartitionFiles[]): void {
  if (found.every((one) => one.logId === null)) return;
  for (const { logId, directory } of found) {
    if (logId === null)
      settings.log.error({ directory }, "a partition of the log is gone; an empty one takes its place");
  }
}
