import type { Tampering } from "../tampering.ts";
import { checkpointBreaks } from "./checkpoint.ts";
import { commitBreaks } from "./commit.ts";
import { deliveryBreaks } from "./delivery.ts";
import { durabilityBreaks } from "./durability.ts";
import { inputBreaks } from "./input.ts";

/** Fresh ones for every run: some remember what they saw. */
function allBreaks(): Readonly<Record<string, Tampering>> {
  return { ...commitBreaks(), ...checkpointBreaks(), ...inputBreaks(), ...durabilityBreaks(), ...deliveryBreaks() };
}

/** Every planted break: each makes one rule of the protocol wrong, and has to be seen to fail. */
export const breakNames: readonly string[] = Object.keys(allBreaks());

/** What a break puts in place of sound parts, for one run; undefined where there is no such break. */
export function breakOf(name: string): Tampering | undefined {
  return allBreaks()[name];
}
