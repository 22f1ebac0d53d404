import type { Value } from "./values.ts";

/** A column and where its value comes from: rows go to Postgres as one array per column. */
export interface Column<Row> {
  readonly name: string;
  readonly type: "text" | "bigint" | "integer" | "boolean";
  readonly of: (row: Row) => string | number | boolean | null;
}

/** Rows in one statement, at most. */
const ROWS_MAX = 500;

/** `a, b, c` */
export function namesOf<Row>(columns: readonly Column<Row>[]): string {
  return columns.map((column) => column.name).join(", ");
}

/** `unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS input (a, b, ordinality)`: the rows of `arraysOf`, in order. */
export function inputOf<Row>(columns: readonly Column<Row>[]): string {
  const arrays = columns.map((column, index) => `$${index + 1}::${column.type}[]`);
  return `unnest(${arrays.join(", ")}) WITH ORDINALITY AS input (${namesOf(columns)}, ordinality)`;
}

/** `a = excluded.a, b = excluded.b` */
export function replacing<Row>(columns: readonly Column<Row>[], ...kept: readonly string[]): string {
  return columns
    .filter((column) => !kept.includes(column.name))
    .map(({ name }) => `${name} = excluded.${name}`)
    .join(", ");
}

export function arraysOf<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): Value[] {
  return columns.map((column) => rows.map((row) => column.of(row)));
}

export function chunksOf<Row>(rows: readonly Row[], size = ROWS_MAX): Row[][] {
  const chunks: Row[][] = [];
  for (let at = 0; at < rows.length; at += size) chunks.push(rows.slice(at, at + size));
  return chunks;
}
