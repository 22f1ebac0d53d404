import { WinnowError } from "@winnow/platform";
import type { CheckpointStore, Clock, CommitMeta, StagePartition, StateChange, WindowStore } from "@winnow/ports";
import type { CheckpointReporter } from "./checkpoint-reporter.ts";
import { scanStates } from "./restore.ts";

export interface CheckpointSettings {
  /** Time between two checkpoints of a partition; ms. */
  readonly saveMs: number;
  /** So many changed states make an early checkpoint. */
  readonly collectedMax: number;
  /** Least time between two checkpoints, early ones and failed ones included; ms. */
  readonly pauseMs: number;
}

export const defaultCheckpointSettings: CheckpointSettings = {
  saveMs: 30_000,
  collectedMax: 50_000,
  pauseMs: 1_000,
};

/** Where no checkpoint can be saved, so many times `collectedMax` are kept before they are let go of. */
const keptFactor = 4;
const chunkStates = 1_000;
/** Pause before it is asked again whether what a scan sees is of our own commits alone; ms. */
const verifyMs = 50;

export interface CheckpointerParts {
  readonly at: StagePartition;
  readonly token: string;
  readonly windows: WindowStore;
  readonly checkpoints: CheckpointStore;
  readonly clock: Clock;
  readonly settings: CheckpointSettings;
  readonly report: CheckpointReporter;
  /** Aborted when the session is over. */
  readonly signal: AbortSignal;
}

/**
 * Keeps the checkpoint of one session's partition close behind its commits, in the background. Only what the window
 * store has taken is ever saved, and every save names the checkpoint that it is built on.
 */
export class Checkpointer {
  readonly #parts: CheckpointerParts;
  /** The last commit; null before the partition's first. */
  #meta: CommitMeta | null;
  /** Position of the stored checkpoint that `#collected` goes on from without a gap; null = not known yet. */
  #base: number | null;
  /** Last change of every state that changed since `#base`, as of `#meta`. */
  #collected = new Map<string, StateChange>();
  /** Rises when changes are let go of: what was begun before is not complete. */
  #losses = 0;
  #running: Promise<void> | null = null;
  #lastTurn: number;
  #bug: Error | null = null;

  /** `claimed`: the commit that the session starts from; `stored`: the checkpoint that was found then. */
  constructor(parts: CheckpointerParts, claimed: CommitMeta | null, stored: CommitMeta | null) {
    this.#parts = parts;
    this.#meta = claimed;
    this.#base = positionOf(stored) === positionOf(claimed) ? positionOf(stored) : null;
    this.#lastTurn = parts.clock.monotonic();
  }

  /** The window store has taken this commit. Throws what an earlier turn could not tell anybody: bugs alone. */
  committed(meta: CommitMeta, changes: readonly StateChange[]): void {
    this.#meta = meta;
    for (const change of changes) this.#collected.set(change.key, change);
    if (this.#collected.size > keptFactor * this.#parts.settings.collectedMax) this.#letGo();
    this.turn();
  }

  /** Begins a checkpoint when it is time for one. */
  turn(): void {
    if (this.#bug !== null) throw this.#bug;
    const { clock, settings } = this.#parts;
    const since = clock.monotonic() - this.#lastTurn;
    const isFull = this.#collected.size >= settings.collectedMax;
    if (since < (isFull ? settings.pauseMs : settings.saveMs)) return;
    void this.#begin();
  }

  /** Saves what is not saved yet, as far as the stores allow it before the session is over. */
  async finish(): Promise<void> {
    const { signal } = this.#parts;
    const over = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    const saved = (this.#running ?? Promise.resolve()).then(() => this.#begin());
    await Promise.race([saved, over]);
  }

  /**
   * Saves the commit that stands under its engine's version, though the stored checkpoint may be at the same position.
   * Nothing is decided meanwhile. Rejects where it can't be saved, or not be told: then another claim has to find out.
   */
  async establish(meta: CommitMeta): Promise<void> {
    await this.#running;
    this.#meta = meta;
    const { checkpoints, at, report } = this.#parts;
    const base = this.#base ?? (await this.#findBase());
    const changes = this.#collected;
    const result =
      base === null || base > meta.position
        ? null
        : await checkpoints.saveCheckpoint(at, { previous: base, meta, changes: this.#chunks(changes) });
    if (result === null || "refused" in result)
      throw new WinnowError("store_unavailable", "the checkpoint of a new engine version met another one");
    this.#collected = new Map();
    this.#base = meta.position;
    report.saved(at, changes.size);
  }

  /** The input log is needed from here on; 0 when that cannot be told now. */
  async trimBelow(): Promise<number> {
    const { checkpoints, at, report } = this.#parts;
    try {
      const stored = await checkpoints.checkpointMeta(at);
      const fits = stored !== null && stored.log_id === this.#meta?.log_id;
      return fits ? Math.min(stored.position, this.#meta?.position ?? 0) : 0;
    } catch (error) {
      if (!(error instanceof WinnowError)) throw error;
      report.failed(at, error);
      return 0;
    }
  }

  #begin(): Promise<void> {
    const isBehind = this.#meta !== null && (this.#base === null || this.#meta.position > this.#base);
    if (!isBehind) return Promise.resolve();
    this.#running ??= this.#attempt().finally(() => {
      this.#running = null;
      this.#lastTurn = this.#parts.clock.monotonic();
    });
    return this.#running;
  }

  async #attempt(): Promise<void> {
    try {
      this.#base ??= await this.#findBase();
      if (this.#base !== null) await this.#save(this.#base);
    } catch (error) {
      // With its session every attempt ends; the next session goes on from what is stored.
      if (!this.#parts.signal.aborted) this.#parts.report.failed(this.#parts.at, error);
      if (!(error instanceof WinnowError)) this.#bug = error instanceof Error ? error : new Error(String(error));
    }
  }

  async #save(previous: number): Promise<void> {
    const meta = this.#meta;
    // Another owner's checkpoint is ahead of us: it stays until we have caught up.
    if (meta === null || meta.position <= previous) return;
    const { checkpoints, at, report } = this.#parts;
    const losses = this.#losses;
    const taken = this.#collected;
    this.#collected = new Map();
    try {
      const result = await checkpoints.saveCheckpoint(at, { previous, meta, changes: this.#chunks(taken) });
      if ("saved" in result) {
        if (losses === this.#losses) this.#base = meta.position;
        report.saved(at, taken.size);
        return;
      }
    } catch (error) {
      this.#putBack(taken, losses);
      if (!(error instanceof WinnowError) || error.retry !== "unknown") throw error;
      report.failed(at, error);
    }
    this.#putBack(taken, losses);
    await this.#learn(previous, losses);
  }

  *#chunks(changes: ReadonlyMap<string, StateChange>): Generator<readonly StateChange[]> {
    let chunk: StateChange[] = [];
    for (const change of changes.values()) {
      if (this.#parts.signal.aborted)
        throw new WinnowError("store_unavailable", "stopped while a checkpoint was saved");
      chunk.push(change);
      if (chunk.length < chunkStates) continue;
      yield chunk;
      chunk = [];
    }
    if (chunk.length > 0) yield chunk;
  }

  /** The changes are to be saved still; later ones of the same states count more. */
  #putBack(taken: Map<string, StateChange>, losses: number): void {
    if (losses !== this.#losses) return;
    for (const [key, change] of this.#collected) taken.set(key, change);
    this.#collected = taken;
  }

  /** The stored checkpoint is not where it was: saved by another, or by us unnoticed. */
  async #learn(previous: number, losses: number): Promise<void> {
    const { checkpoints, at } = this.#parts;
    const position = positionOf(await checkpoints.checkpointMeta(at));
    // Where it lies behind, the store went backwards, and what changed in between is not known here.
    if (losses === this.#losses) this.#base = position < previous ? null : position;
  }

  /**
   * What changed between the stored checkpoint and this session's claim: a state that the window store changed since, or
   * has no more. What is committed meanwhile is collected, and counts more than what the scan saw. Null: not known.
   */
  async #findBase(): Promise<number | null> {
    const { windows, checkpoints, at } = this.#parts;
    const losses = this.#losses;
    const stored = await checkpoints.loadCheckpoint(at);
    const base = positionOf(stored?.meta ?? null);
    if (positionOf(this.#meta) <= base) return base;
    const gone = new Set<string>();
    if (stored !== null) for await (const rows of stored.rows) for (const { key } of rows) gone.add(key);
    const found = new Map<string, StateChange>();
    for await (const rows of scanStates(windows, at, () => this.#owned()))
      for (const row of rows) {
        gone.delete(row.key);
        if (row.changed_at >= base) found.set(row.key, row);
      }
    for (const key of gone) found.set(key, { key, value: null, deadline_ms: null, changed_at: base });
    if (losses !== this.#losses) return null;
    for (const [key, change] of this.#collected) found.set(key, change);
    this.#collected = found;
    return base;
  }

  /** Resolves once the store is seen to stand at our last commit: then nobody else has written since the claim. */
  async #owned(): Promise<void> {
    const { windows, at, token, clock, signal } = this.#parts;
    while (!signal.aborted) {
      // A commit may be on its way: asked again until one is told of that is the store's.
      if (await windows.verify(at, token, positionOf(this.#meta))) return;
      await clock.sleep(verifyMs, signal);
    }
    throw new WinnowError("store_unavailable", "the session ended while its changes were looked for");
  }

  /** Too much to keep while no checkpoint can be saved: it is found again by a scan later. */
  #letGo(): void {
    this.#losses += 1;
    this.#collected = new Map();
    this.#base = null;
  }
}

function positionOf(meta: CommitMeta | null): number {
  return meta?.position ?? 0;
}
