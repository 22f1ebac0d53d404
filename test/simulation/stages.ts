import { correlateStage, dedupStage } from "@winnow/core";
import { poisonLabel } from "./scenario.ts";

/** The shipped stage A, but for one kind of alert whose timers cannot be decided. */
export const stageA: typeof dedupStage = {
  ...dedupStage,
  fire: (key, read, context) => {
    const detail = key.startsWith("a:") ? read(`d:${key.slice(2)}`) : undefined;
    const labels = (detail as { facts?: { labels?: Record<string, string[]> } } | undefined)?.facts?.labels;
    if (labels?.[poisonLabel]?.[0] === "timer") throw new TypeError("poison for a timer");
    return dedupStage.fire(key, read, context);
  },
};

export const stageB: typeof correlateStage = correlateStage;
