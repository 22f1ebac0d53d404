import { type OperationFault, operationFaults } from "@winnow/testkit";
import { runCase } from "./case.ts";

/** One fault at one operation of the calm run of a seed. */
export interface EnumeratedCase {
  readonly seed: number;
  readonly scaleOut: boolean;
  readonly at: number;
  readonly kind: OperationFault;
}

/**
 * Every operation of a seed's calm run: one that changes something with every kind of fault; one that only reads, or
 * looks for deliveries every second, with one kind each, in turn, since its faults all come to "no answer" or a crash.
 */
export async function casesOf(seed: number): Promise<EnumeratedCase[]> {
  return cases(seed, { scaleOut: false, isChosen: () => true });
}

const clusterOperations = /^(checkpoints\.|log\.trim|windows\.(scan|claim|commit))/u;

/** What a cluster does beside that: checkpoints, restoring from them, trimming. */
export async function clusterCasesOf(seed: number): Promise<EnumeratedCase[]> {
  return cases(seed, {
    scaleOut: true,
    isChosen: (name) => clusterOperations.test(name),
  });
}

async function cases(
  seed: number,
  of: { readonly scaleOut: boolean; readonly isChosen: (name: string) => boolean },
): Promise<EnumeratedCase[]> {
  const { scaleOut } = of;
  const calm = await runCase({ seed, scaleOut, faults: "calm" });
  if (calm.violations.length > 0)
    throw new Error(`seed ${seed} fails without any fault: ${calm.violations.join("; ")}`);
  return calm.operations.flatMap(({ name, effect }, at) => {
    if (!of.isChosen(name)) return [];
    if (effect && name !== "deliveries.lease") return operationFaults.map((kind) => ({ seed, scaleOut, at, kind }));
    const kinds = effect ? operationFaults : (["crash", "fails"] as const);
    return [{ seed, scaleOut, at, kind: kinds[at % kinds.length] ?? "crash" }];
  });
}
