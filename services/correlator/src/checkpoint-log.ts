import type { Logger } from "@winnow/platform";
import type { CheckpointReporter } from "@winnow/runtime";

/**
 * Says once that a partition's checkpoints fail, and once that they go on. Without them the log only grows, and a
 * window store that is lost takes longer to make again; nothing else is wrong.
 */
export function checkpointLog(logger: Logger, counts?: CheckpointReporter): CheckpointReporter {
  const failing = new Set<string>();
  return {
    saved: (at, states) => {
      if (failing.delete(`${at.stage}.${at.partition}`)) logger.info("checkpoints are saved again", { ...at });
      counts?.saved(at, states);
    },
    failed: (at, error) => {
      const name = `${at.stage}.${at.partition}`;
      if (!failing.has(name)) logger.warn("a checkpoint could not be saved; it is tried again", { ...at, error });
      failing.add(name);
      counts?.failed(at, error);
    },
  };
}
