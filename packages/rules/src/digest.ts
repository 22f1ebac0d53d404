import type { RuleSet } from "@winnow/contracts";
import type { Hash } from "@winnow/ports";

/**
 * JSON with the keys of every object in code-unit order and no white space: equal values give equal texts.
 * Keys that hold undefined are left out, as in JSON.stringify. Throws TypeError for what JSON cannot hold.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === "string" || typeof value === "boolean") return JSON.stringify(value);
  if (typeof value === "number" && Number.isFinite(value)) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object") throw new TypeError(`JSON cannot hold a ${typeof value} of this kind`);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${members.join(",")}}`;
}

/** SHA-256 of the set's canonical JSON, 64 hex digits. */
export function ruleSetDigest(set: RuleSet, hash: Hash): string {
  return hash(canonicalJson(set));
}
