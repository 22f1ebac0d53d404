/** Alertmanager webhooks at an even pace, whatever becomes of the ones before: an open loop. */
import { Agent } from "node:http";
import type { History } from "./history.ts";
import { bodyOf, type Telling } from "./payloads.ts";
import { post } from "./post.ts";
import type { Random } from "./random.ts";
import type { Story, storyTeller } from "./stories.ts";

export interface SteadyLoadOptions {
  /** Base URLs of the receivers; each tells its own stories. */
  readonly doors: readonly string[];
  readonly token: string;
  readonly history: History;
  readonly random: Random;
  readonly tell: ReturnType<typeof storyTeller>;
  readonly alertsPerS: number;
  /** Alerts in one body. */
  readonly batch: number;
}

export interface SteadyLoad {
  /** Begins no more stories, tells the begun ones to their ends and resolves when all is answered. */
  stop(): Promise<void>;
  abandon(): void;
}

interface Told {
  readonly story: Story;
  at: number;
  isUnderWay: boolean;
}

/** Stories that are open at one door, in batches. */
const batchesAtOnce = 6;

export function startSteadyLoad(options: SteadyLoadOptions): SteadyLoad {
  const { doors, random, alertsPerS, batch } = options;
  const agent = new Agent({ keepAlive: true });
  const pools = doors.map((door) => ({ door, stories: [] as Told[] }));
  const underWay = new Set<Promise<void>>();
  const sends = { count: 0 };
  let turn = 0;
  const tick = (mayBegin: boolean): void => {
    turn += 1;
    const pool = pools[turn % pools.length];
    if (pool === undefined) return;
    const missing = mayBegin ? batch * batchesAtOnce - pool.stories.length : 0;
    for (let begun = 0; begun < missing; begun += 1) {
      pool.stories.push({ story: options.tell("alertmanager", Date.now()), at: 0, isUnderWay: false });
    }
    const idle = pool.stories.filter(({ isUnderWay }) => !isUnderWay);
    const chosen = idle.toSorted(() => random.next() - 0.5).slice(0, batch);
    if (chosen.length === 0) return;
    sends.count += 1;
    const sent = tellAll(chosen, { ...options, agent, door: pool.door, send: `s${sends.count}` }).then(() => {
      underWay.delete(sent);
      pool.stories = pool.stories.filter(({ story, at }) => at < story.steps.length);
    });
    underWay.add(sent);
  };
  const everyMs = (1_000 * batch) / alertsPerS;
  const timer = setInterval(() => tick(true), everyMs);
  return {
    stop: async () => {
      clearInterval(timer);
      while (pools.some(({ stories }) => stories.length > 0)) {
        tick(false);
        await Promise.all(underWay);
      }
      agent.destroy();
    },
    abandon: () => {
      clearInterval(timer);
      agent.destroy();
    },
  };
}

interface Sending extends SteadyLoadOptions {
  readonly agent: Agent;
  readonly door: string;
  readonly send: string;
}

async function tellAll(chosen: readonly Told[], { agent, door, send, token, history }: Sending): Promise<void> {
  const tellings = chosen.flatMap(({ story, at }): Telling[] => {
    const step = story.steps[at];
    return step === undefined ? [] : [{ story, step }];
  });
  const [first, ...others] = tellings;
  if (first === undefined) return;
  for (const one of chosen) one.isUnderWay = true;
  const started = performance.now();
  const body = bodyOf("alertmanager", [first, ...others], send);
  const answer = await post(`${door}/v1/in/alertmanager`, { token, body, agent });
  history.add({
    send,
    tool: "alertmanager",
    door,
    items: tellings.map(({ step }) => step),
    junk: 0,
    ...answer,
    t: Date.now(),
    ms: Math.round(performance.now() - started),
  });
  for (const one of chosen) {
    one.at += 1;
    one.isUnderWay = false;
  }
}
