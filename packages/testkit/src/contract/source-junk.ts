import type { SourceBody } from "@winnow/sources";
import fc from "fast-check";

/** Values that no field of any tool is meant to hold. */
const junkValues: readonly unknown[] = [
  null,
  [],
  "",
  " ",
  0,
  -1,
  1e308,
  true,
  {},
  [[]],
  [null],
  { a: { b: { c: {} } } },
  "\0",
  "\ud800",
  "x".repeat(40_000),
  "9".repeat(40),
  "0001-01-01T00:00:00Z",
  "{EVENT.ID}",
  "$ALERT_ID",
  "*UNKNOWN*",
  "javascript:alert(1)",
  JSON.parse('{"__proto__": {"polluted": true}, "constructor": "x", "toString": 1}'),
  deep(60),
];

/** Bodies that are not a tool's at all. */
export const junkBodies: readonly SourceBody[] = [
  ...junkValues.map((value): SourceBody => ({ kind: "json", value })),
  { kind: "json", value: { alerts: null } },
  { kind: "json", value: { alerts: {} } },
  { kind: "json", value: [deep(60), 7, "x"] },
  { kind: "form", fields: new Map() },
  { kind: "form", fields: new Map([["", [""]]]) },
  { kind: "form", fields: new Map([["__proto__", ["x", "y"]]]) },
  { kind: "form", fields: new Map([["host", []]]) },
  { kind: "text", text: "" },
  { kind: "text", text: "\0 not a body \ud800" },
];

function deep(levels: number): unknown {
  let value: unknown = "bottom";
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? { deeper: value } : [value];
  return value;
}

/** A valid body of which one to three places hold junk. */
export function spoiltBody(body: SourceBody): fc.Arbitrary<SourceBody> {
  if (body.kind === "text") return fc.string().map((text) => ({ kind: "text", text }));
  if (body.kind === "form") return spoiltForm(body.fields);
  const places = pathsOf(body.value);
  return fc
    .array(fc.tuple(fc.constantFrom(...places), fc.constantFrom(...junkValues)), { minLength: 1, maxLength: 3 })
    .map((spoils) => ({
      kind: "json",
      value: spoils.reduce((value, [path, junk]) => withValue(value, path, junk), structuredClone(body.value)),
    }));
}

function spoiltForm(fields: ReadonlyMap<string, readonly string[]>): fc.Arbitrary<SourceBody> {
  const texts = junkValues.filter((value) => typeof value === "string");
  const lists = fc.oneof(fc.constant<string[]>([]), fc.array(fc.constantFrom(...texts), { maxLength: 3 }));
  return fc
    .array(fc.tuple(fc.constantFrom(...fields.keys()), lists), { minLength: 1, maxLength: 3 })
    .map((spoils) => ({ kind: "form", fields: new Map([...fields, ...spoils]) }));
}

type Path = readonly (string | number)[];

function pathsOf(value: unknown, at: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [at];
  const inner = Array.isArray(value)
    ? value.map((item: unknown, index) => [index, item] as const)
    : Object.entries(value);
  return [at, ...inner.flatMap(([key, item]) => pathsOf(item, [...at, key]))];
}

/** A place that an earlier spoil took away is left alone. */
function withValue(value: unknown, path: Path, junk: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return structuredClone(junk);
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return value;
  const copy = (Array.isArray(value) ? [...(value as unknown[])] : { ...value }) as Record<string | number, unknown>;
  copy[key] = withValue(copy[key], rest, junk);
  return copy;
}
