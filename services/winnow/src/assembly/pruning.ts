import type { Config, Logger } from "@winnow/platform";
import type { Clock, IncidentPruner } from "@winnow/ports";

const everyMs = 3_600_000;
/** Incidents and dead letters of one step; between steps the store is free for others. */
const stepMax = 100;
const stepPauseMs = 50;

/** How long stage B may still change an incident beyond its reopen time; ms, with room for work that waits. */
const reopenRoomMs = 3_600_000;

/** How long a resolved incident is kept: at least until it cannot open again, or it would get a second ticket. */
export function keptMs({ retention, rule_set }: Pick<Config, "retention" | "rule_set">): number {
  const reopens = rule_set.rules.map(({ window }) => window.reopen_ms + reopenRoomMs);
  return Math.max(retention.incidents.max_age, ...reopens);
}

/** Removes incidents and settled dead letters older than `maxAgeMs` says, once an hour, in small steps. Returns the way to stop. */
export function startPruning(
  store: IncidentPruner,
  options: { readonly maxAgeMs: () => number; readonly clock: Clock; readonly logger: Logger },
): () => Promise<void> {
  const { clock, logger, maxAgeMs } = options;
  const stopping = new AbortController();
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const removed = await store.prune(clock.now() - maxAgeMs(), stepMax).catch((error: unknown) => {
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
