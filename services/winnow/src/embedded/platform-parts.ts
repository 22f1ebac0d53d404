import { hash, randomBytes } from "node:crypto";
import type { Clock, Hash, Ids } from "@winnow/ports";

/** Wall time that never goes back within a process, monotonic time, and sleeps that an abort ends. */
export function systemClock(): Clock {
  let latest = 0;
  return {
    now: () => {
      latest = Math.max(latest, Date.now());
      return latest;
    },
    monotonic: () => performance.now(),
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
  const timer = setTimeout(wake, Math.min(ms, timerMsMax));
  signal?.addEventListener("abort", wake);
  return promise;
}

/** Longest delay that a timer takes. */
const timerMsMax = 2_147_483_647;

export const randomIds: Ids = { token: () => randomBytes(16).toString("hex") };

export const sha256: Hash = (text) => hash("sha256", text);
