import type { Random } from "./random.ts";

/** What can befall one operation of a process on something outside it. */
export const operationFaults = ["crash", "done_reply_lost", "lands_late", "fails"] as const;
export type OperationFault = (typeof operationFaults)[number];

/** What can befall the world between operations. */
export const worldFaults = [
  "process_crash",
  "power_cut",
  "zombie",
  "rebalance",
  "windows_rewound",
  "windows_emptied",
  "windows_restored",
  "windows_lost_commits",
  "checkpoint_restored",
  "log_trimmed",
  "hand_over",
  "clock_skewed",
  "log_set_back",
  "receiver_restored",
  "ack_lost",
  "vendor_late_commit",
  "vendor_reply_cut",
  "vendor_slow",
  "vendor_closed",
  "lease_taken_over",
] as const;
export type WorldFault = (typeof worldFaults)[number];

export type FaultKind = OperationFault | WorldFault;

/** One operation, before it happens. */
export interface OperationInfo {
  /** Number of the operation in the run, from 0. */
  readonly index: number;
  readonly process: string;
  /** Such as `windows.commit`. */
  readonly name: string;
  /** False for reads: all that can go wrong with them is that they do not answer. */
  readonly effect: boolean;
}

/** Decides what befalls each operation. */
export interface FaultPlan {
  next(operation: OperationInfo): OperationFault | null;
}

export const noFaults: FaultPlan = { next: () => null };

/** One fault at one operation: a case of the enumeration. */
export function faultAt(at: number, kind: OperationFault): FaultPlan {
  return { next: (operation) => (operation.index === at ? kind : null) };
}

/** Faults at random: `rate` is the share of operations that something befalls. */
export function randomFaults(random: Random, rate: number): FaultPlan {
  return {
    next: (operation) => {
      if (!random.chance(rate)) return null;
      return random.pick(operation.effect ? operationFaults : (["crash", "fails"] as const));
    },
  };
}

/** How often each kind of fault happened. */
export class FaultCounts {
  readonly #counts = new Map<FaultKind, number>();

  add(kind: FaultKind, by = 1): void {
    this.#counts.set(kind, this.of(kind) + by);
  }

  addAll(other: FaultCounts): void {
    for (const [kind, count] of other.#counts) this.add(kind, count);
  }

  of(kind: FaultKind): number {
    return this.#counts.get(kind) ?? 0;
  }

  /** Kinds that never happened. */
  missing(): FaultKind[] {
    return [...operationFaults, ...worldFaults].filter((kind) => this.of(kind) === 0);
  }

  toString(): string {
    return [...operationFaults, ...worldFaults].map((kind) => `${kind} ${this.of(kind)}`).join(", ");
  }
}
