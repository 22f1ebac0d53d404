import type { LogValue } from "@winnow/contracts";
import { type CompiledRuleSet, correlateStage, dedupStage, type Stage } from "@winnow/core";
import type { CommitMeta, StagePartition, StoredRecord } from "@winnow/ports";
import {
  CheckpointTables,
  FaultCounts,
  FaultyCheckpointStore,
  FaultyEventLog,
  FaultyWindowStore,
  LogDisk,
  Operations,
  Random,
  testHash,
  VirtualProcess,
  VirtualTime,
  WindowTables,
} from "@winnow/testkit";
import { StageSession } from "../src/stage-session.ts";

/** Nothing is decided by them here. */
const noRules = { digest: "none" } as CompiledRuleSet;

/** The first partition of a stage on stores of its own. */
export class StageWorld {
  readonly time = new VirtualTime(1_000_000);
  readonly disk = new LogDisk(1);
  readonly tables = new WindowTables();
  readonly checkpointTables = new CheckpointTables();
  readonly operations = new Operations(this.time, new Random(1), new FaultCounts());
  readonly at: StagePartition & { readonly stage: "A" | "B" };
  /** What receivers report unshipped, ms. */
  unshippedMs = 0;
  readonly process: VirtualProcess;
  readonly #log: FaultyEventLog;
  #tokens = 0;

  readonly #keepsCheckpoints: boolean;

  /** `skewMs`: how far the owner's clock runs ahead of the log's. */
  constructor(stage: "A" | "B", skewMs = 0, keepsCheckpoints = false) {
    this.#keepsCheckpoints = keepsCheckpoints;
    this.at = { stage, partition: 0 };
    this.process = new VirtualProcess("correlator", this.time, skewMs);
    this.#log = new FaultyEventLog(this.disk, this.process, this.operations, { definite: true });
  }

  open(): Promise<StageSession<unknown>> {
    return this.at.stage === "A" ? this.#open(dedupStage) : this.#open(correlateStage);
  }

  async #open<Item>(stage: Stage<Item>): Promise<StageSession<unknown>> {
    const windows = new FaultyWindowStore(this.tables, this.process, this.operations, 1);
    const checkpoints = new FaultyCheckpointStore(this.checkpointTables, this.process, this.operations);
    const token = `token-${this.#tokens++}`;
    const opening = StageSession.open(
      stage,
      { partition: 0, token, signal: new AbortController().signal },
      {
        log: this.#log,
        windows,
        clock: this.process.clock,
        hash: testHash,
        rules: { initial: noRules, get: () => Promise.reject(new Error("no rules are put in force")) },
        facts: { readySince: () => 0, delivered: () => ({}), unshippedMs: () => this.unshippedMs },
        cacheMax: 10,
        ...(this.#keepsCheckpoints ? { checkpoints } : {}),
      },
    );
    return (await this.until(opening)) as StageSession<unknown>;
  }

  async append(...values: readonly LogValue[]): Promise<void> {
    const records = values.map((value) => ({ value, events: 0 }));
    await this.until(this.#log.append(this.#topic, 0, records));
  }

  /** Everything from the session's position on. */
  async processAll(session: StageSession<unknown>): Promise<void> {
    for (const record of this.records.slice(session.position)) await this.until(session.process(record));
  }

  get meta(): CommitMeta {
    const meta = this.tables.meta(this.at);
    if (meta === null) throw new Error("it has committed");
    return meta;
  }

  /** The stage's input. */
  get records(): StoredRecord[] {
    return this.disk.file(this.#topic, 0).everything();
  }

  get #topic(): "alerts" | "transitions" {
    return this.at.stage === "A" ? "alerts" : "transitions";
  }

  async until<Value>(work: Promise<Value>): Promise<Value> {
    const done = new AbortController();
    const watched = work.finally(() => done.abort());
    watched.catch(() => {});
    while (!done.signal.aborted) await this.time.runUntil(this.time.now + 10);
    return watched;
  }
}
