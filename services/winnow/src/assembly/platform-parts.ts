import { hash, randomBytes } from "node:crypto";
import type { Clock, Hash, Ids } from "@winnow/ports";

/** The machine's clocks; epoch ms and ms. */
export interface MachineTime {
  wall(): number;
  monotonic(): number;
}

const machineTime: MachineTime = { wall: () => Date.now(), monotonic: () => performance.now() };

export interface SystemClock extends Clock {
  /** From now on the clock shows `ms` at least. */
  notBefore(ms: number): void;
}

/**
 * Wall time that never goes back and never stands still, monotonic time, and sleeps that an abort ends. Where the
 * machine's clock is set back, time goes on at half its pace until the machine has caught up: timers that stood still
 * would hold tickets for as long as the clock was wrong.
 */
export function systemClock(machine: MachineTime = machineTime): SystemClock {
  let latest = machine.wall();
  let readAt = machine.monotonic();
  return {
    now: () => {
      const at = machine.monotonic();
      latest = Math.max(machine.wall(), latest + (at - readAt) / 2);
      readAt = at;
      return Math.floor(latest);
    },
    notBefore: (ms) => {
      latest = Math.max(latest, ms);
    },
    monotonic: () => machine.monotonic(),
    sleep: sleepUntilAborted,
  };
}

/** The platform's own promised timer makes an error with a stack for every abort; the loops abort one per idle wait. */
async function sleepUntilAborted(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = (): void => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", wake);
    resolve();
  };
  const timer = setTimeout(wake, Math.min(Math.max(ms, 0), timerMsMax));
  signal?.addEventListener("abort", wake);
  return promise;
}

/** Longest delay that a timer takes. */
const timerMsMax = 2_147_483_647;

export const randomIds: Ids = { token: () => randomBytes(16).toString("hex") };

export const sha256: Hash = (text) => hash("sha256", text);
