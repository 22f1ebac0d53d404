import type { OperationFault } from "@winnow/testkit";

/** What a person types to see one case again, with everything that happened in it. */
export function commandFor(
  seed: number,
  more: {
    readonly at?: number;
    readonly kind?: OperationFault;
    readonly breakName?: string;
    readonly scaleOut?: boolean;
  } = {},
): string {
  const words = ["npx node test/simulation/main.ts --trace --seed", String(seed)];
  if (more.at !== undefined && more.kind !== undefined) words.push("--at", String(more.at), "--kind", more.kind);
  if (more.scaleOut === true) words.push("--scale-out");
  if (more.breakName !== undefined) words.push("--break", more.breakName);
  return words.join(" ");
}
