import { Buffer } from "node:buffer";
import { assert } from "@winnow/platform";
import type { Page } from "@winnow/ports";
import type { Postgres } from "./engine/postgres.ts";
import type { Value } from "./engine/values.ts";

/** Where a page ended: the sort columns of its last row. */
type Position = readonly [number, number | string];

/** A listing, newest first. The SQL parts are constants of the program; values come as parameters only. */
export interface Listing {
  readonly columns: string;
  readonly from: string;
  /** The two columns that give a total order, the first one a number; rows never change theirs. */
  readonly order: readonly [string, string];
  /** What the second of them holds. */
  readonly second: "number" | "text";
  readonly where: readonly Condition[];
  /** A column and the values it may have, each a range of an index: the pages of all are merged. */
  readonly anyOf: { readonly column: string; readonly values: readonly string[] } | null;
  readonly limit: number;
  readonly cursor: string | undefined;
}

/** `sql` gets the number of its parameter. */
export interface Condition {
  readonly sql: (parameter: string) => string;
  readonly value: Value;
}

/** No condition where the filter says nothing. */
export function among(column: string, values: readonly string[] | undefined): readonly Condition[] {
  if (values === undefined) return [];
  return [{ sql: (parameter) => `${column} = ANY (${parameter}::text[])`, value: values }];
}

/** Reads one page. A cursor that is not ours yields an empty last page. */
export async function readPage<Row, Item>(
  postgres: Postgres,
  listing: Listing,
  toItem: (row: Row) => Item,
): Promise<Page<Item>> {
  const { limit, cursor } = listing;
  assert(Number.isSafeInteger(limit) && limit > 0, "a page has room for at least one row");
  const before = cursor === undefined ? null : decodeCursor(cursor, listing.second);
  if (cursor !== undefined && before === null) return { items: [], next_cursor: null };
  const { sql, values } = statementOf(listing, before);
  const rows = await postgres.read<Row & SortColumns>(sql, values);
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    items: shown.map((row) => toItem(row)),
    next_cursor: rows.length > limit && last !== undefined ? encodeCursor([last.sort_first, last.sort_second]) : null,
  };
}

interface SortColumns {
  readonly sort_first: number;
  readonly sort_second: number | string;
}

function statementOf(listing: Listing, before: Position | null): { sql: string; values: Value[] } {
  const values: Value[] = [];
  const add = (value: Value) => `$${values.push(value)}`;
  const [first, second] = listing.order;
  const conditions = listing.where.map(({ sql, value }) => sql(add(value)));
  if (before !== null) {
    const type = listing.second === "number" ? "bigint" : "text";
    conditions.push(`(${first}, ${second}) < (${add(before[0])}::bigint, ${add(before[1])}::${type})`);
  }
  const limit = `LIMIT ${add(listing.limit + 1)}::bigint`;
  const { anyOf } = listing;
  const range = anyOf === null ? [] : [`${anyOf.column} = any_of.value`];
  const select = `SELECT ${first} AS sort_first, ${second} AS sort_second, ${listing.columns} FROM ${listing.from}
    WHERE ${["TRUE", ...range, ...conditions].join(" AND ")} ORDER BY ${first} DESC, ${second} DESC ${limit}`;
  if (anyOf === null) return { sql: select, values };
  const each = `unnest(${add([...new Set(anyOf.values)])}::text[]) AS any_of (value)`;
  const merged = `SELECT page.* FROM ${each} CROSS JOIN LATERAL (${select}) AS page
    ORDER BY sort_first DESC, sort_second DESC ${limit}`;
  return { sql: merged, values };
}

function encodeCursor(position: Position): string {
  return Buffer.from(JSON.stringify(position)).toString("base64url");
}

function decodeCursor(cursor: string, second: Listing["second"]): Position | null {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(cursor, "base64url").toString());
  } catch {
    // Anybody may send any text as a cursor; the answer to it is an empty page.
    return null;
  }
  if (!Array.isArray(value) || value.length !== 2) return null;
  const [number, other] = value as unknown[];
  if (!isInteger(number)) return null;
  if (second === "number") return isInteger(other) ? [number, other] : null;
  return typeof other === "string" ? [number, other] : null;
}

function isInteger(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value);
}
