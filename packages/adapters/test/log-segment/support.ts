import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "@winnow/ports";
import type { Test } from "tap";
import {
  nodeFiles,
  openSegmentLog,
  type SegmentFiles,
  type SegmentLog,
  type SegmentLogLogger,
  type SegmentLogOptions,
} from "../../src/log-segment/index.ts";

/** A clock that moves only when told. */
export class HandClock implements Clock {
  #nowMs = 1_700_000_000_000;
  readonly #sleepers = new Set<{ readonly atMs: number; readonly wake: () => void }>();

  now(): number {
    return this.#nowMs;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const sleeper = {
        atMs: this.#nowMs + ms,
        wake: () => {
          this.#sleepers.delete(sleeper);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", sleeper.wake, { once: true });
    });
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    for (const sleeper of this.#sleepers) if (sleeper.atMs <= this.#nowMs) sleeper.wake();
  }
}

export interface Line {
  readonly level: "info" | "warn" | "error";
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Keeps what was logged. */
export class Lines implements SegmentLogLogger {
  readonly all: Line[] = [];

  info(fields: object, message: string): void {
    this.all.push({ level: "info", message, fields: { ...fields } });
  }

  warn(fields: object, message: string): void {
    this.all.push({ level: "warn", message, fields: { ...fields } });
  }

  error(fields: object, message: string): void {
    this.all.push({ level: "error", message, fields: { ...fields } });
  }

  of(level: Line["level"]): Line[] {
    return this.all.filter((line) => line.level === level);
  }
}

/** Retention that keeps everything. */
export const keepAll = { maxAgeMs: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY };

/** A directory that goes away with the test. */
export function directory(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), "winnow-log-"));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Opens a log that keeps everything, with a quiet logger; closed with the test. */
export async function openLog(
  t: Test,
  options: Pick<SegmentLogOptions, "dir"> & Partial<SegmentLogOptions>,
): Promise<SegmentLog> {
  const log = await openSegmentLog({
    retention: keepAll,
    clock: new HandClock(),
    log: new Lines(),
    freeSpaceFloorBytes: 0,
    ...options,
  });
  t.teardown(() => log.close());
  return log;
}

/** The error that a promise rejects with; undefined when it resolves. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    return error;
  }
}

type Call = keyof SegmentFiles;

export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

/** The real file system with counts, and with calls that a test can fail or hold back. */
export class WatchedFiles {
  readonly counts: Partial<Record<Call, number>> = {};
  /** Asked before each call: an error to reject with, a promise to wait for, or nothing. */
  before: (call: Call, subject: string | number) => Promise<void> | Error | undefined = () => undefined;
  readonly files: SegmentFiles;

  constructor() {
    const watch =
      <Args extends [string | number, ...unknown[]], Result>(call: Call, real: (...args: Args) => Promise<Result>) =>
      async (...args: Args): Promise<Result> => {
        this.counts[call] = (this.counts[call] ?? 0) + 1;
        const verdict = this.before(call, args[0]);
        if (verdict instanceof Error) throw verdict;
        await verdict;
        return await real(...args);
      };
    this.files = {
      makeDirectory: watch("makeDirectory", nodeFiles.makeDirectory),
      list: watch("list", nodeFiles.list),
      syncDirectory: watch("syncDirectory", nodeFiles.syncDirectory),
      open: watch("open", nodeFiles.open),
      size: watch("size", nodeFiles.size),
      read: watch("read", nodeFiles.read),
      write: watch("write", nodeFiles.write),
      truncate: watch("truncate", nodeFiles.truncate),
      sync: watch("sync", nodeFiles.sync),
      close: watch("close", nodeFiles.close),
      unlink: watch("unlink", nodeFiles.unlink),
      freeBytes: watch("freeBytes", nodeFiles.freeBytes),
    };
  }
}
