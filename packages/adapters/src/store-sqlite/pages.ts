import { Buffer } from "node:buffer";
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import type { Page } from "@winnow/ports";
import { query } from "./engine/database.ts";
import { assert } from "./engine/failure.ts";

/** Where a page ended: the sort columns of its last row. */
type Position = readonly [number, number | string];

/** A listing, newest first. The SQL parts are constants of the program; values come as parameters only. */
export interface Listing {
  readonly columns: string;
  readonly from: string;
  /** The two columns that give a total order; rows never change theirs. */
  readonly order: readonly [string, string];
  readonly where: readonly Condition[];
  /** Conditions of which any may hold, each a range of an index: the pages of all are merged. Empty = nothing fits. */
  readonly anyOf: readonly Condition[];
  readonly limit: number;
  readonly cursor: string | undefined;
}

export interface Condition {
  readonly sql: string;
  readonly values: readonly SQLInputValue[];
}

export const everything: Condition = { sql: "TRUE", values: [] };

/** No condition where the filter says nothing, else one for each value. */
export function eachOf(column: string, values: readonly string[] | undefined): readonly Condition[] {
  if (values === undefined) return [everything];
  return [...new Set(values)].map((value) => ({ sql: `${column} = ?`, values: [value] }));
}

export function among(column: string, values: readonly string[] | undefined): readonly Condition[] {
  if (values === undefined) return [];
  return [{ sql: `${column} IN (${values.map(() => "?").join(", ")})`, values }];
}

/** Reads one page. A cursor that is not ours yields an empty last page. */
export function readPage<Row, Item>(db: DatabaseSync, listing: Listing, toItem: (row: Row) => Item): Page<Item> {
  const { limit, cursor } = listing;
  assert(Number.isSafeInteger(limit) && limit > 0, "a page has room for at least one row");
  const before = cursor === undefined ? null : decodeCursor(cursor);
  if (cursor !== undefined && before === null) return { items: [], next_cursor: null };
  const rows = listing.anyOf
    .flatMap((condition) => readRange<Row>(db, listing, { condition, before }))
    .toSorted((left, right) => comparePositions(right.position, left.position))
    .slice(0, limit + 1);
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    items: shown.map(({ row }) => toItem(row)),
    next_cursor: rows.length > limit && last !== undefined ? encodeCursor(last.position) : null,
  };
}

type Placed<Row> = { readonly row: Row; readonly position: Position };
interface SortColumns {
  readonly sort_first: number;
  readonly sort_second: number | string;
}

function readRange<Row>(
  db: DatabaseSync,
  listing: Listing,
  range: { readonly condition: Condition; readonly before: Position | null },
): Placed<Row>[] {
  const [first, second] = listing.order;
  const conditions = [range.condition, ...listing.where];
  if (range.before !== null) conditions.push({ sql: `(${first}, ${second}) < (?, ?)`, values: range.before });
  const sql = `SELECT ${first} AS sort_first, ${second} AS sort_second, ${listing.columns} FROM ${listing.from}
    WHERE ${conditions.map((condition) => condition.sql).join(" AND ")}
    ORDER BY ${first} DESC, ${second} DESC LIMIT ?`;
  const values = conditions.flatMap((condition) => condition.values);
  return query<Row & SortColumns>(db, sql)
    .all(...values, listing.limit + 1)
    .map((row) => ({ row, position: [row.sort_first, row.sort_second] }));
}

function comparePositions(left: Position, right: Position): number {
  if (left[0] !== right[0]) return left[0] - right[0];
  if (typeof left[1] === "number" && typeof right[1] === "number") return left[1] - right[1];
  // As the database orders texts: by their UTF-8 bytes.
  return Buffer.compare(Buffer.from(String(left[1])), Buffer.from(String(right[1])));
}

function encodeCursor(position: Position): string {
  return Buffer.from(JSON.stringify(position)).toString("base64url");
}

function decodeCursor(cursor: string): Position | null {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(cursor, "base64url").toString());
  } catch {
    // Anybody may send any text as a cursor; the answer to it is an empty page.
    return null;
  }
  if (!Array.isArray(value) || value.length !== 2) return null;
  const [first, second] = value as unknown[];
  if (typeof first !== "number" || (typeof second !== "number" && typeof second !== "string")) return null;
  return [first, second];
}
