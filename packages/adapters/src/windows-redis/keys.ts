import { assert } from "@winnow/platform";
import type { StagePartition } from "@winnow/ports";

/**
 * What a stage partition keeps. All its keys share one hash tag, so that each script finds its keys on one node.
 *
 * - `owner`, a hash: token, position, meta as JSON. In force from here on is what stands here.
 * - `states`, a hash: key → packed state.
 * - `deadlines`, a hash: key → ms, for the states that have one.
 * - `keys`, a sorted set of equal scores: the keys in the order of their bytes.
 * - `staged`, a list: chunks of a large commit that is not in force.
 * - `decided`, a list: chunks of the last large commit, in force, that have not been folded into the rest.
 */
export type KeyName = "owner" | "states" | "deadlines" | "keys" | "staged" | "decided";
export type PartitionKeys = Readonly<Record<KeyName, string>>;

export function partitionKeys(prefix: string, { stage, partition }: StagePartition): PartitionKeys {
  const tag = `{${prefix}:${stage}:${partition}}`;
  return {
    owner: `${tag}:owner`,
    states: `${tag}:states`,
    deadlines: `${tag}:deadlines`,
    keys: `${tag}:keys`,
    staged: `${tag}:staged`,
    decided: `${tag}:decided`,
  };
}

/** Holds the partition count, which the first to open has fixed. */
export function partitionsKey(prefix: string): string {
  return `{${prefix}}:partitions`;
}

export function assertPrefix(prefix: string): void {
  assert(/^[^{}\s]+$/.test(prefix), "the prefix of Redis keys has no braces and no spaces");
}
