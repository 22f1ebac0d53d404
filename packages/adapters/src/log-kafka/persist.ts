import type { Clock } from "@winnow/ports";
import { isPassing } from "./failures.ts";
import { retryMsMax, retryMsMin } from "./options.ts";

export interface Persistence {
  readonly clock: Clock;
  /** No further try begins after this; the second one always does. */
  readonly ms: number;
  readonly signal: AbortSignal;
  /** Called before each pause. */
  readonly failed?: (error: unknown) => void;
}

/** Tries until it works, with growing pauses. Rejects with the last failure, or with the first that cannot pass. */
export async function persist<T>(how: Persistence, attempt: () => Promise<T>): Promise<T> {
  const started = how.clock.monotonic();
  let pauseMs = retryMsMin;
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      const isOver = tries > 1 && how.clock.monotonic() - started >= how.ms;
      if (how.signal.aborted || isOver || !isPassing(error)) throw error;
      how.failed?.(error);
      await how.clock.sleep(pauseMs, how.signal);
      pauseMs = Math.min(pauseMs * 2, retryMsMax);
    }
  }
}
