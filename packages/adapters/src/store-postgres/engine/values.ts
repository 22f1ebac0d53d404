import { type CustomTypesConfig, types } from "pg";

type Scalar = string | number | boolean | null;

/** A parameter of a statement. */
export type Value = Scalar | readonly Scalar[];

const INT8 = 20;
const parserOf = types.getTypeParser as (oid: number, format?: string) => (text: string) => unknown;
const parserOfOurs = (oid: number, format?: string) => (oid === INT8 ? Number : parserOf(oid, format));

/** Counts and epoch ms come as numbers, not as texts. */
export const numbers: CustomTypesConfig = { getTypeParser: parserOfOurs as typeof types.getTypeParser };

const NUL = "\u0000";

/** Postgres takes no NUL in a text: it becomes the replacement character. JSON texts have none. */
export function storable(value: Value): Value {
  if (!isList(value)) return withoutNul(value);
  return value.some((item) => typeof item === "string" && item.includes(NUL)) ? value.map(withoutNul) : value;
}

function isList(value: Value): value is readonly Scalar[] {
  return Array.isArray(value);
}

function withoutNul(value: Scalar): Scalar {
  return typeof value === "string" && value.includes(NUL) ? value.replaceAll(NUL, "\uFFFD") : value;
}
