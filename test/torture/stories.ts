import { type Tier, tiers } from "./configuration.ts";
import type { StepItem, ToolName } from "./history.ts";
import type { Random } from "./random.ts";

/** One alert's life, in the order in which it is sent. */
export interface Story {
  readonly tid: string;
  readonly tool: ToolName;
  readonly app: string;
  readonly tier: Tier;
  readonly host: string;
  readonly severity: string;
  readonly steps: readonly StepItem[];
}

type Beat = readonly [kind: "fire" | "resolve", episode: number];

/** Each script by name; `late resolve` and `resolve first` come out of order. */
const scripts: Readonly<Record<string, readonly Beat[]>> = {
  fire: [["fire", 1]],
  "fire and resolve": [
    ["fire", 1],
    ["resolve", 1],
  ],
  flap: [
    ["fire", 1],
    ["resolve", 1],
    ["fire", 2],
    ["resolve", 2],
    ["fire", 3],
  ],
  "flap and end": [
    ["fire", 1],
    ["resolve", 1],
    ["fire", 2],
    ["resolve", 2],
  ],
  repeat: [
    ["fire", 1],
    ["fire", 1],
    ["fire", 1],
  ],
  "late resolve": [
    ["fire", 1],
    ["fire", 2],
    ["resolve", 1],
  ],
  "resolve first": [
    ["resolve", 1],
    ["fire", 1],
  ],
};
const names = Object.keys(scripts) as [string, ...string[]];

const hosts = 12;
const severities = ["critical", "error", "warning"] as const;
/** Apps that are in trouble at one time, per tier, and for how long. */
const appsAtOnce = 4;
const appLifeMs = 5_000;

/** Makes stories one after another; `elapsedMs` moves the apps along, so that new incidents open all the time. */
export function storyTeller(random: Random, startedMs: number): (tool: ToolName, nowMs: number) => Story {
  let count = 0;
  return (tool, nowMs) => {
    count += 1;
    const tid = `t${count}`;
    const tier = random.pick(tiers);
    const age = Math.floor((nowMs - startedMs) / appLifeMs);
    const app = `${tier}-${age * appsAtOnce + random.between(0, appsAtOnce - 1)}`;
    const beats = scripts[random.pick(names)] ?? [];
    // Whole seconds in the past: two of the tools tell time no finer.
    const beginning = Math.floor(nowMs / 1_000) * 1_000 - 60_000;
    return {
      tid,
      tool,
      app,
      tier,
      host: `host-${random.between(1, hosts)}`,
      severity: random.pick(severities),
      steps: beats.map(([kind, episode]) => ({
        tid,
        app,
        kind,
        episode,
        at: beginning + episode * 10_000 + (kind === "resolve" ? 5_000 : 0),
      })),
    };
  };
}
