/** One row as stored: field → value, all text, as the Table API gives it. */
export type StoredRow = Readonly<Record<string, string>>;

type Test = (row: StoredRow) => boolean;

interface Query {
  readonly tests: readonly Test[];
  readonly order: { readonly field: string; readonly descending: boolean } | null;
}

/**
 * The part of ServiceNow's encoded queries that destinations use: `=`, `!=`, `IN`, `LIKE`, `STARTSWITH`, joined by `^`
 * (`^^` stands for the character), and `ORDERBY`, `ORDERBYDESC`. A part that cannot be used is ignored without a word,
 * as the vendor documents it: then unrelated rows come back.
 */
export function runQuery(rows: readonly StoredRow[], encoded: string, fields: ReadonlySet<string>): StoredRow[] {
  const query = parse(encoded, fields);
  const found = rows.filter((row) => query.tests.every((test) => test(row)));
  const { order } = query;
  if (order === null) {
    return found;
  }
  const sign = order.descending ? -1 : 1;
  return found.toSorted((a, b) => sign * (a[order.field] ?? "").localeCompare(b[order.field] ?? ""));
}

function parse(encoded: string, fields: ReadonlySet<string>): Query {
  const tests: Test[] = [];
  let order: Query["order"] = null;
  for (const part of split(encoded)) {
    const ordering = /^ORDERBY(DESC)?([a-z0-9_]+)$/.exec(part);
    if (ordering !== null) {
      order = { field: ordering[2] ?? "", descending: ordering[1] !== undefined };
      continue;
    }
    const test = parseTest(part, fields);
    if (test !== null) {
      tests.push(test);
    }
  }
  return { tests, order };
}

function split(encoded: string): string[] {
  return encoded
    .replaceAll("^^", "\u0000")
    .split("^")
    .map((part) => part.replaceAll("\u0000", "^"))
    .filter((part) => part !== "");
}

function parseTest(part: string, fields: ReadonlySet<string>): Test | null {
  const [, field = "", operator, value = ""] = /^([a-z0-9_]+)(!=|=|IN|LIKE|STARTSWITH)(.*)$/s.exec(part) ?? [];
  if (!fields.has(field)) {
    return null;
  }
  const of = (row: StoredRow): string => row[field] ?? "";
  switch (operator) {
    case "=":
      return (row) => of(row) === value;
    case "!=":
      return (row) => of(row) !== value;
    case "IN":
      return (row) => value.split(",").includes(of(row));
    case "LIKE":
      return (row) => of(row).toLowerCase().includes(value.toLowerCase());
    case "STARTSWITH":
      return (row) => of(row).toLowerCase().startsWith(value.toLowerCase());
    default:
      return null;
  }
}
