import { type FaultCounts, type FaultPlan, noFaults, type OperationFault, type OperationInfo } from "./faults.ts";
import type { Random } from "./random.ts";
import type { VirtualProcess } from "./virtual-process.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** One operation on something outside the process. */
export interface Operation<Value> {
  readonly name: string;
  /** True when it changes something. */
  readonly effect: boolean;
  /** Does it, at one moment; may throw what the port says. */
  readonly apply: () => Value;
  /** What the caller sees when it definitely did not happen; null = too late to fail: it happens after all. */
  readonly failed: () => Error | null;
  /** What the caller sees when it may or may not have happened. Absent: it never stays unknown, the answer comes late. */
  readonly lost?: () => Error;
  /** Longest usual time, ms. */
  readonly latencyMs?: number;
  /** True when it happens in another house: a power cut here does not stop it. */
  readonly elsewhere?: boolean;
}

const latencyMsUsual = 3;
const replyLostMs = [200, 2_500] as const;
const landsLateMsMax = 6_000;

/**
 * The gate that every operation passes: it is numbered, and the plan may say that the process crashes right after it,
 * that its answer is lost, that it lands late, or that it fails.
 */
export class Operations {
  readonly time: VirtualTime;
  readonly counts: FaultCounts;
  /** What happened, for a person who replays one case; null = nobody looks. */
  trace: ((line: string) => void) | null = null;
  plan: FaultPlan = noFaults;
  /** Called when the plan says crash: kills the process and has it started anew. */
  onCrash: (process: VirtualProcess) => void = (process) => {
    process.kill();
  };
  readonly #random: Random;
  #count = 0;
  #era = 0;

  constructor(time: VirtualTime, random: Random, counts: FaultCounts) {
    this.time = time;
    this.#random = random;
    this.counts = counts;
  }

  /** Operations issued so far. */
  get count(): number {
    return this.#count;
  }

  /** A power cut: what was under way is gone. */
  cut(): void {
    this.#era += 1;
  }

  /** Numbers an operation and asks the plan about it. */
  number(process: VirtualProcess, name: string, effect: boolean): OperationFault | null {
    const operation: OperationInfo = { index: this.#count++, process: process.name, name, effect };
    const fault = this.plan.next(operation);
    if (fault !== null) this.counts.add(fault);
    this.trace?.(`#${operation.index} ${process.name} ${name}${fault === null ? "" : ` ** ${fault}`}`);
    return fault;
  }

  call<Value>(process: VirtualProcess, operation: Operation<Value>): Promise<Value> {
    if (!process.alive) return new Promise(() => {});
    const fault = this.number(process, operation.name, operation.effect);
    return new Promise((resolve, reject) => {
      const perform = (): (() => void) => {
        try {
          const value = operation.apply();
          return () => {
            resolve(value);
          };
        } catch (error) {
          return () => {
            reject(error instanceof Error ? error : new Error(String(error)));
          };
        }
      };
      this.#befall(process, operation, fault, { perform, reject });
    });
  }

  /** `perform` does the operation and gives the answer, which is then delivered, or never. */
  #befall<Value>(
    process: VirtualProcess,
    operation: Operation<Value>,
    fault: OperationFault | null,
    ends: { readonly perform: () => () => void; readonly reject: (error: Error) => void },
  ): void {
    const usual = this.#random.between(0, operation.latencyMs ?? latencyMsUsual);
    const { perform, reject } = ends;
    const { lost, failed, elsewhere = false } = operation;
    switch (fault) {
      case null:
        this.#later(
          usual,
          () => {
            // Under way when its process died: it may have arrived or not.
            if (process.alive || this.#random.chance(0.5)) process.deliver(perform());
          },
          elsewhere,
        );
        return;
      case "crash":
        this.#later(usual, () => {
          perform();
          this.onCrash(process);
        });
        return;
      case "fails":
        this.#later(usual, () => {
          const error = failed();
          const answer =
            error === null
              ? perform()
              : () => {
                  reject(error);
                };
          process.deliver(answer);
        });
        return;
      case "done_reply_lost":
      case "lands_late":
        this.#late(process, usual, {
          perform,
          lost:
            lost === undefined
              ? null
              : () => () => {
                  reject(lost());
                },
          landsLate: fault === "lands_late",
          elsewhere,
        });
    }
  }

  /** The answer does not come in time. Where the caller can't tell, it hears of a time-out; else the answer comes late. */
  #late(
    process: VirtualProcess,
    usualMs: number,
    how: {
      readonly perform: () => () => void;
      readonly lost: (() => () => void) | null;
      readonly landsLate: boolean;
      readonly elsewhere: boolean;
    },
  ): void {
    const timeoutMs = this.#random.between(...replyLostMs);
    if (how.lost === null) {
      this.#later(usualMs, () => {
        const answer = how.perform();
        this.#later(timeoutMs, () => {
          process.deliver(answer);
        });
      });
      return;
    }
    const landsMs = how.landsLate ? timeoutMs + this.#random.between(1, landsLateMsMax) : usualMs;
    this.#later(
      landsMs,
      () => {
        how.perform();
      },
      how.elsewhere,
    );
    const lost = how.lost();
    this.#later(timeoutMs, () => {
      process.deliver(lost);
    });
  }

  /** Does it `ms` later, unless the power is cut before. */
  #later(ms: number, work: () => void, elsewhere = false): void {
    const era = this.#era;
    this.time.after(ms, () => {
      if (elsewhere || era === this.#era) work();
    });
  }
}
