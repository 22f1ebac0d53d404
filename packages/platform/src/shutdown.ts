import type { Logger } from "./logging.ts";

/** One thing to stop. It must be harmless to stop it while it is already failing. */
export interface StopStep {
  readonly name: string;
  readonly stop: () => Promise<void> | void;
  /** How long it may take before the next step begins all the same; ms. */
  readonly timeoutMs: number;
}

export interface StopResult {
  /** Names of steps that failed or took too long, in order. */
  readonly failed: readonly string[];
}

/**
 * Stops what was started, the newest first, one after the other: servers before writers, writers before stores.
 * A step that fails or hangs is logged and left behind; the others still run.
 */
export class Shutdown {
  readonly #logger: Logger;
  readonly #steps: StopStep[] = [];
  #stopping: Promise<StopResult> | null = null;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  get stopping(): boolean {
    return this.#stopping !== null;
  }

  /** Call it when the thing has started: what starts last is stopped first. */
  add(step: StopStep): void {
    this.#steps.push(step);
  }

  /** Runs all steps once; later calls wait for the same stop. Never rejects. */
  async stop(): Promise<StopResult> {
    this.#stopping ??= this.#run();
    return this.#stopping;
  }

  async #run(): Promise<StopResult> {
    const failed: string[] = [];
    for (const step of this.#steps.toReversed()) {
      const problem = await runStep(step);
      if (problem === null) continue;
      failed.push(step.name);
      this.#logger.error("a part could not be stopped in order", { part: step.name, error: problem });
    }
    return { failed };
  }
}

async function runStep(step: StopStep): Promise<unknown> {
  const { promise: late, resolve } = Promise.withResolvers<Error>();
  const timer = setTimeout(() => {
    resolve(new Error(`not stopped after ${step.timeoutMs} ms`));
  }, step.timeoutMs);
  try {
    return await Promise.race([Promise.resolve(step.stop()).then(() => null), late]);
  } catch (error) {
    return error;
  } finally {
    clearTimeout(timer);
  }
}

/** What delivers signals: the process, or a stand-in in tests. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: () => void): unknown;
  off(signal: NodeJS.Signals, listener: () => void): unknown;
}

/**
 * Calls `first` at the first SIGTERM or SIGINT and `again` at each later one (a person who insists).
 * Returns what takes the listeners away.
 */
export function onStopSignal(source: SignalSource, first: () => void, again: () => void): () => void {
  let seen = false;
  const listener = (): void => {
    if (seen) {
      again();
      return;
    }
    seen = true;
    first();
  };
  const signals = ["SIGTERM", "SIGINT"] as const;
  for (const signal of signals) source.on(signal, listener);
  return () => {
    for (const signal of signals) source.off(signal, listener);
  };
}
