import { readFile } from "node:fs/promises";
import type { PartitionBounds } from "@winnow/ports";
import { hasSystemCode } from "./system-code.ts";

/** How far one partition of the local log was shipped. */
export interface ShipMark {
  /** The local log that `shipped` counts in. */
  readonly log_id: string;
  /** Local records below this offset are in the shared log. */
  readonly shipped: number;
  /** Receiver id and seq of the record shipped last, and where the shared log has it; null where that is not known. */
  readonly last: { readonly receiver_id: string; readonly seq: number; readonly offset: number } | null;
  /** The shared log it went to; null before the first. */
  readonly shared_log_id: string | null;
  /** The highest end that the shared log was seen to have: it must never lie lower again. */
  readonly shared_end: number;
  /** The highest seq ever shipped under the file's receiver id. Never falls. */
  readonly seq_max: number;
}

/** What a receiver keeps of its shipping over restarts. A partition that was never looked at is null. */
export interface ShipMarks {
  readonly receiver_id: string;
  readonly partitions: readonly (ShipMark | null)[];
}

/** Why the log is not the one that the mark was made of; null when it is. */
export function misfit(mark: ShipMark, log: PartitionBounds): string | null {
  if (mark.log_id !== log.log_id) return "its own log was made anew";
  return mark.shipped > log.end_offset ? "its own log went backwards" : null;
}

const version = 1;

export function formatMarks(marks: ShipMarks): string {
  return `${JSON.stringify({ version, ...marks })}\n`;
}

/**
 * Reads the file of marks. Null when there is none; "unreadable" when there is something else, which a program that
 * writes it whole or not at all never leaves. Rejects when the file system refuses.
 */
export async function readMarks(path: string): Promise<ShipMarks | "unreadable" | null> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (hasSystemCode(error, "ENOENT")) return null;
    throw error;
  }
  try {
    const value = JSON.parse(text) as ShipMarks & { readonly version: number };
    if (value.version !== version || !Array.isArray(value.partitions)) return "unreadable";
    return { receiver_id: value.receiver_id, partitions: value.partitions };
  } catch {
    // Not JSON: no program of ours wrote it.
    return "unreadable";
  }
}
