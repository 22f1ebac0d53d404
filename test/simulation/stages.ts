import { correlateStage, dedupStage } from "@winnow/core";
import { poisonLabel } from "./scenario.ts";

/** The shipped stage A, but for two kinds of alert: one cannot be decided, of the other the timers cannot. */
export const stageA: typeof dedupStage = {
  ...dedupStage,
  decide: (item, read, context) => {
    if ("labels" in item && item.labels[poisonLabel]?.[0] === "a") throw new TypeError("poison for A");
    return dedupStage.decide(item, read, context);
  },
  fire: (key, read, context) => {
    const detail = key.startsWith("a:") ? read(`d:${key.slice(2)}`) : undefined;
    const labels = (detail as { facts?: { labels?: Record<string, string[]> } } | undefined)?.facts?.labels;
    if (labels?.[poisonLabel]?.[0] === "timer") throw new TypeError("poison for a timer");
    return dedupStage.fire(key, read, context);
  },
};

export const stageB: typeof correlateStage = correlateStage;
