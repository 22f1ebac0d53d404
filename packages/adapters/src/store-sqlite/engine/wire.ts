import type { ErrorCode, ErrorFields } from "@winnow/platform";
import { StoreFailure } from "./failure.ts";

/** One call, as it goes to the worker. */
export interface Request {
  readonly id: number;
  readonly operation: string;
  /** The store's clock at the time of the call, epoch ms. */
  readonly now_ms: number;
  readonly args: readonly unknown[];
}

export type Reply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly failure: Failure };

/** An error without its class, which a message to another thread would lose. `code` null = a programmer's error. */
export interface Failure {
  readonly code: ErrorCode | null;
  readonly message: string;
  readonly fields: ErrorFields;
}

/** Operations of the worker itself, beside those of the store. */
export const OPEN = "$open";
export const CLOSE = "$close";
export const STATS = "$stats";

/** Since the worker was started. */
export interface WorkerStats {
  /** Calls that may change something. */
  readonly writes: number;
  /** Transactions in which those calls were carried out: fewer than `writes` where they were gathered. */
  readonly transactions: number;
}

/** SQLite's primary result codes for a row that the schema does not take: the caller's mistake. */
const CONSTRAINT = 19;
const MISMATCH = 20;

export function toFailure(error: unknown): Failure {
  if (error instanceof StoreFailure) return { code: error.code, message: error.message, fields: error.fields };
  const sqlite = sqliteCode(error);
  const message = error instanceof Error ? error.message : String(error);
  if (sqlite === null || sqlite === CONSTRAINT || sqlite === MISMATCH) return { code: null, message, fields: {} };
  return { code: "store_unavailable", message: `SQLite: ${message}`, fields: { sqlite_code: sqlite } };
}

/** The primary result code of an error of node:sqlite, null for any other error. */
function sqliteCode(error: unknown): number | null {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return null;
  return error.errcode & 0xff;
}
