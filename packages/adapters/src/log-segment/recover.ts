import { randomUUID } from "node:crypto";
import { dirname } from "node:path";
import type { Topic } from "@winnow/contracts";
import { readError, writeError } from "./errors.ts";
import type { Settings } from "./options.ts";
import { Partition } from "./partition.ts";
import type { Segment } from "./segment.ts";
import { type Damage, type PartitionFiles, surveyPartition } from "./survey.ts";
import { readTail, type Tail } from "./tail.ts";
import type { WriterStart } from "./writer.ts";

/** Bytes of the tail written again at a time. */
const rewriteChunkBytes = 1024 * 1024;

/** Opens a partition from its files, or gives birth to it. */
export async function openPartition(settings: Settings, found: PartitionFiles): Promise<Partition> {
  const last = found.segments.at(-1);
  await removeStillborn(settings, found);
  if (last === undefined || found.logId === null) return await birth(settings, found);
  const headless = found.damages.some((damage) => damage.file === last.path);
  const { tail, file } = await recoverTail(settings, last);
  const damages = [...found.damages, ...tail.damages];
  for (const damage of damages) {
    settings.log.error({ ...damage }, "the log is damaged: what stood here cannot be read, and readers stop before it");
  }
  Object.assign(last, {
    bytes: tail.bytes,
    endOffset: tail.endOffset,
    firstMs: tail.firstMs,
    newestMs: tail.newestMs,
  });
  const start = {
    ...place(found),
    logId: found.logId,
    segments: [...found.segments],
    endOffset: tail.endOffset,
    events: tail.events,
  };
  // A segment with a damaged header is kept as it is and followed by a sound one at the next append.
  if (headless) await settings.files.close(file);
  return new Partition(settings, { ...start, file: headless ? null : file }, damages);
}

/** Reads what a partition holds without changing anything. For offline readers and `winnow doctor`. */
export async function inspectPartition(
  files: Settings["files"],
  at: { readonly directory: string; readonly topic: Topic; readonly partition: number },
): Promise<{ readonly found: PartitionFiles; readonly tail: Tail | null; readonly damages: readonly Damage[] }> {
  const found = await surveyPartition(files, at);
  const last = found.segments.at(-1);
  if (last === undefined) return { found, tail: null, damages: found.damages };
  const tail = await readTail(files, last, last.bytes);
  Object.assign(last, { bytes: tail.bytes, endOffset: tail.endOffset });
  return { found, tail, damages: [...found.damages, ...tail.damages] };
}

function place(found: PartitionFiles): Pick<WriterStart, "directory" | "topic" | "partition" | "lastNumber"> {
  return {
    directory: found.directory,
    topic: found.topic,
    partition: found.partition,
    lastNumber: found.lastNumber,
  };
}

async function removeStillborn(settings: Settings, found: PartitionFiles): Promise<void> {
  if (found.stillborn.length === 0) return;
  try {
    for (const path of found.stillborn) {
      settings.log.warn({ file: path }, "removing a segment that was never finished and holds no record");
      await settings.files.unlink(path);
    }
    await settings.files.syncDirectory(found.directory);
  } catch (error) {
    throw writeError(error, "removing an unfinished segment", found.directory);
  }
}

async function birth(settings: Settings, found: PartitionFiles): Promise<Partition> {
  const { files } = settings;
  try {
    await files.makeDirectory(found.directory);
    const topic = dirname(found.directory);
    for (const path of [topic, dirname(topic), dirname(dirname(topic))]) await files.syncDirectory(path);
  } catch (error) {
    throw writeError(error, "making the partition's directory", found.directory);
  }
  const logId = randomUUID().replaceAll("-", "");
  const start = { ...place(found), logId, segments: [], endOffset: 0, events: 0, file: null };
  const partition = new Partition(settings, start, []);
  await partition.roll();
  return partition;
}

/**
 * Cuts the torn tail, then writes what the last group may have left unconfirmed once more and syncs it: after a sync
 * error of an earlier process the kernel may hold pages as clean that never reached the disk.
 */
async function recoverTail(settings: Settings, last: Segment): Promise<{ tail: Tail; file: number }> {
  const { files, log } = settings;
  const tail = await readTail(files, last, last.bytes).catch((error: unknown) => {
    throw readError(error, last.path);
  });
  if (tail.bytes < last.bytes) {
    const fields = { file: last.path, from_byte: tail.bytes, to_byte: last.bytes, end_offset: tail.endOffset };
    log.warn(fields, "cutting the torn end of the log; nothing in it was ever confirmed");
  }
  let file: number | null = null;
  try {
    file = await files.open(last.path, "write");
    // Even where nothing seems to be cut: what an earlier process cut may not have reached the disk.
    await files.truncate(file, tail.bytes);
    await writeAgain(settings, file, tail);
    await files.sync(file);
    await files.syncDirectory(dirname(last.path));
    return { tail, file };
  } catch (error) {
    if (file !== null) await files.close(file);
    throw writeError(error, "making the end of the log durable", last.path);
  }
}

async function writeAgain(settings: Settings, file: number, tail: Tail): Promise<void> {
  for (let at = tail.confirmed; at < tail.bytes; at += rewriteChunkBytes) {
    const bytes = Buffer.allocUnsafe(Math.min(rewriteChunkBytes, tail.bytes - at));
    const filled = await settings.files.read(file, bytes, at);
    await settings.files.write(file, bytes.subarray(0, filled), at);
  }
}
