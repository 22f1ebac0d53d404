/** Virtual monitoring tools that send their alerts the way the real ones do, and write down what they heard. */
import { Agent } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import type { History, Outcome, StepItem, ToolName } from "./history.ts";
import { type Body, bodyOf, junkOf, type Telling } from "./payloads.ts";
import { post } from "./post.ts";
import type { Random } from "./random.ts";
import type { Story } from "./stories.ts";

interface Sender {
  readonly name: string;
  readonly tool: ToolName;
  /** Alerts in one body. */
  readonly batch: number;
  /** Attempts with the same bytes before it gives up. */
  readonly attemptsMax: number;
}

/** How often each tool comes again: research on senders, not wishes. Nagios runs its command once. */
const senders: readonly Sender[] = [
  { name: "alertmanager, grouped", tool: "alertmanager", batch: 25, attemptsMax: 1_000 },
  { name: "alertmanager, single", tool: "alertmanager", batch: 1, attemptsMax: 1_000 },
  { name: "datadog", tool: "datadog", batch: 1, attemptsMax: 6 },
  { name: "nagios", tool: "nagios", batch: 1, attemptsMax: 1 },
  { name: "zabbix", tool: "zabbix", batch: 1, attemptsMax: 3 },
];

export interface LoadOptions {
  /**
   * Base URL of the receiver that is asked. `turn` is a sender's number, and rises with each attempt of its that was not
   * acknowledged: a sender stays with its receiver while that answers.
   */
  readonly url: (turn: number) => string;
  /** Read anew for each request: the token is known once the product is up. */
  readonly token: () => string;
  readonly history: History;
  readonly random: Random;
  readonly tell: (tool: ToolName, nowMs: number) => Story;
  /** Mean time between two bodies of one sender. */
  readonly everyMs: number;
}

export interface Load {
  /** Ends: what was begun is sent to its end, new stories are not begun. */
  stop(): Promise<void>;
  /** Ends at once, with whatever is under way. */
  abandon(): void;
}

const repeatedShare = 0.05;
const junkShare = 0.01;
const retryMsMin = 40;
const retryMsMax = 160;
/** Alerts that a sender has under way at once. */
const storiesAtOnce = 30;

export function startLoad(options: LoadOptions): Load {
  const agent = new Agent({ keepAlive: true });
  const stopping = new AbortController();
  const abandoning = new AbortController();
  const sends = { count: 0 };
  const running = senders.map((sender, turn) =>
    new SenderLoop(
      { ...sender, turn },
      {
        ...options,
        random: options.random.fork(sender.name),
        agent,
        sends,
        abandoned: abandoning.signal,
      },
    ).run(stopping.signal),
  );
  return {
    stop: async () => {
      stopping.abort();
      await Promise.all(running);
      agent.destroy();
    },
    abandon: () => {
      abandoning.abort();
      stopping.abort();
      agent.destroy();
    },
  };
}

type LoopOptions = LoadOptions & {
  readonly agent: Agent;
  readonly sends: { count: number };
  readonly abandoned: AbortSignal;
};

class SenderLoop {
  readonly #sender: Sender;
  #turn: number;
  readonly #options: LoopOptions;
  /** Each with how many of its steps are over. */
  readonly #stories: { readonly story: Story; at: number }[] = [];

  constructor(sender: Sender & { readonly turn: number }, options: LoopOptions) {
    this.#sender = sender;
    this.#turn = sender.turn;
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { random, everyMs } = this.#options;
    while (!signal.aborted) {
      await pause(everyMs * (0.5 + random.next()));
      if (random.chance(junkShare)) await this.#sendJunk(signal);
      await this.#sendAlerts(signal);
    }
    // Every begun story is told to its end, so that final states can be judged.
    while (this.#stories.length > 0 && !this.#options.abandoned.aborted) await this.#sendAlerts(signal);
  }

  async #sendAlerts(signal: AbortSignal): Promise<void> {
    const { tool, batch } = this.#sender;
    const { random, tell } = this.#options;
    while (!signal.aborted && this.#stories.length < Math.min(storiesAtOnce, batch * 4)) {
      this.#stories.push({ story: tell(tool, Date.now()), at: 0 });
    }
    const wanted = random.between(1, batch);
    const chosen = [...this.#stories].toSorted(() => random.next() - 0.5).slice(0, wanted);
    const tellings = chosen.flatMap(({ story, at }): Telling[] => {
      const step = story.steps[at];
      return step === undefined ? [] : [{ story, step }];
    });
    const [first, ...others] = tellings;
    if (first === undefined) return;
    const send = this.#nextSend();
    const body = bodyOf(tool, [first, ...others], send);
    const items = tellings.map(({ step }) => step);
    const heard = await this.#deliver({ send, body, tool, items, junk: 0 });
    if (heard && random.chance(repeatedShare)) await this.#attempt({ send, body, tool, items, junk: 0 });
    for (const one of chosen) one.at += 1;
    for (const done of chosen.filter(({ story, at }) => at >= story.steps.length)) {
      this.#stories.splice(this.#stories.indexOf(done), 1);
    }
  }

  async #sendJunk(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const send = this.#nextSend();
    const { tool, body } = junkOf(this.#options.random.between(0, 3), send);
    await this.#deliver({ send, body, tool, items: [], junk: 1 });
  }

  #nextSend(): string {
    this.#options.sends.count += 1;
    return `s${this.#options.sends.count}`;
  }

  /** As often as this tool tries. True when it was acknowledged. */
  async #deliver(sending: Sending): Promise<boolean> {
    for (let attempt = 0; attempt < this.#sender.attemptsMax; attempt += 1) {
      if (this.#options.abandoned.aborted) return false;
      if ((await this.#attempt(sending)) === "acked") return true;
      await pause(this.#options.random.between(retryMsMin, retryMsMax));
    }
    return false;
  }

  async #attempt(sending: Sending): Promise<Outcome> {
    const { url, token, agent, history } = this.#options;
    const { send, tool, items, junk, body } = sending;
    const started = performance.now();
    const door = url(this.#turn);
    const answer = await post(`${door}/v1/in/${tool}`, { token: token(), body, agent });
    if (answer.outcome !== "acked") this.#turn += 1;
    history.add({
      send,
      tool,
      door,
      items,
      junk,
      outcome: answer.outcome,
      status: answer.status,
      retryAfter: answer.retryAfter,
      stored: answer.stored,
      t: Date.now(),
      ms: Math.round(performance.now() - started),
    });
    return answer.outcome;
  }
}

interface Sending {
  readonly send: string;
  readonly tool: ToolName;
  readonly body: Body;
  readonly items: readonly StepItem[];
  readonly junk: number;
}
