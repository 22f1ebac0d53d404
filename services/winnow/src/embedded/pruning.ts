import type { Logger } from "@winnow/platform";
import type { Clock, IncidentPruner } from "@winnow/ports";

const everyMs = 3_600_000;
/** Incidents and dead letters of one step; between steps the store is free for others. */
const stepMax = 100;
const stepPauseMs = 50;

/** Removes incidents and settled dead letters older than `maxAgeMs`, once an hour, in small steps. Returns the way to stop. */
export function startPruning(
  store: IncidentPruner,
  options: { readonly maxAgeMs: number; readonly clock: Clock; readonly logger: Logger },
): () => Promise<void> {
  const { clock, logger, maxAgeMs } = options;
  const stopping = new AbortController();
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const removed = await store.prune(clock.now() - maxAgeMs, stepMax).catch((error: unknown) => {
        logger.warn("old incidents could not be removed; it is tried again in an hour", { error });
        return 0;
      });
      await clock.sleep(removed >= stepMax ? stepPauseMs : everyMs, stopping.signal);
    }
  };
  const done = run();
  return async () => {
    stopping.abort();
    await done;
  };
}
