import type { OutputItem, OutputsRecord, Topic } from "@winnow/contracts";
import type { CompiledRuleSet, Stage } from "@winnow/core";
import { WinnowError } from "@winnow/platform";
import type { AppendRecord, CommitMeta, EventLog, StateRow, StoredRecord, WindowStore } from "@winnow/ports";
import { RecordSession, type RuleBook, StageSession } from "@winnow/runtime";
import { IncidentTables, type LogDisk, WindowTables } from "@winnow/testkit";
import { initialRules, partitions, ruleSets, sha256 } from "./scenario.ts";
import { stageA, stageB } from "./stages.ts";

/** What a partition of a stage comes to when nothing ever goes wrong. */
export interface ReplayedStage {
  readonly meta: CommitMeta | null;
  readonly rows: ReadonlyMap<string, StateRow>;
  /** Outputs by destination partition. */
  readonly outputs: readonly (readonly OutputItem[])[];
  /** What a checkpoint at `until` has to hold. */
  readonly checkpoint: { readonly meta: CommitMeta | null; readonly rows: ReadonlyMap<string, StateRow> };
}

const cleanRules: RuleBook = {
  initial: initialRules,
  get: (digest): Promise<CompiledRuleSet> => {
    const set = ruleSets.get(digest);
    return set === undefined
      ? Promise.reject(new WinnowError("rule_set_missing", `no rule set ${digest}`))
      : Promise.resolve(set);
  },
};

/** A log that is only read from, and that gathers what is published. */
class ReplayLog implements EventLog {
  readonly partitions = partitions;
  readonly outputs: OutputItem[][] = Array.from({ length: partitions }, () => []);
  readonly #disk: LogDisk;
  readonly #input: Topic;

  constructor(disk: LogDisk, input: Topic) {
    this.#disk = disk;
    this.#input = input;
  }

  status(topic: Topic, partition: number): ReturnType<EventLog["status"]> {
    // From the first record on, whatever is gone for the others.
    return Promise.resolve({ ...this.#disk.file(topic, partition).status(), start_offset: 0 });
  }

  append(topic: Topic, partition: number, records: readonly AppendRecord[]): Promise<number> {
    // The tick of a claim is already in the log that is replayed.
    if (topic !== this.#input)
      for (const record of records)
        this.outputs[partition]?.push(...(JSON.parse(record.text ?? "") as OutputsRecord).items);
    return Promise.resolve(0);
  }

  read(): Promise<readonly StoredRecord[]> {
    return Promise.reject(new Error("a replay is handed its records"));
  }

  wait(): Promise<boolean> {
    return Promise.resolve(false);
  }

  trim(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function promised(tables: WindowTables): WindowStore {
  return {
    claim: async (at, token) => tables.claim(at, token),
    load: async (at, token, position, keys) => tables.load(at, token, position, keys),
    commit: async (at, token, previous, commit) => tables.commit(at, token, previous, commit),
    verify: async (at, token, position) => tables.verify(at, token, position),
    metas: async () => [],
    scan: async () => [],
    peek: async (at, keys) => tables.peek(at, keys),
    close: async () => {},
  };
}

const clock = { now: () => 0, monotonic: () => 0, sleep: () => Promise.resolve() };

function recordsOf(disk: LogDisk, topic: Topic, partition: number): StoredRecord[] {
  return disk.file(topic, partition).everything();
}

/** Decides a partition of A or B again, from the first record, over clean stores. */
async function replayStage<Item>(
  stage: Stage<Item>,
  partition: number,
  disk: LogDisk,
  until: number,
): Promise<ReplayedStage> {
  const log = new ReplayLog(disk, stage.input);
  const tables = new WindowTables();
  const session = await StageSession.open(
    stage,
    { partition, token: "replay", signal: new AbortController().signal },
    {
      log,
      windows: promised(tables),
      clock,
      hash: sha256,
      rules: cleanRules,
      facts: { readySince: () => 0, delivered: () => ({}) },
      cacheMax: Number.MAX_SAFE_INTEGER,
    },
  );
  const records = recordsOf(disk, stage.input, partition);
  const at = { stage: stage.id, partition };
  let checkpoint: ReplayedStage["checkpoint"] = { meta: null, rows: new Map() };
  for (const record of records) {
    await session.process(record);
    if (session.position !== until) continue;
    await session.commit();
    checkpoint = { meta: tables.meta(at), rows: new Map(tables.rows(at)) };
  }
  if (records.length > 0) await session.commit();
  return { meta: tables.meta(at), rows: tables.rows(at), outputs: log.outputs, checkpoint };
}

/** `until`: where the stored checkpoint stands. */
export const replayA = (partition: number, disk: LogDisk, until: number): Promise<ReplayedStage> =>
  replayStage(stageA, partition, disk, until);
export const replayB = (partition: number, disk: LogDisk, until: number): Promise<ReplayedStage> =>
  replayStage(stageB, partition, disk, until);

/** Records all incident events again, over a clean store. */
export async function replayC(disk: LogDisk): Promise<IncidentTables> {
  const tables = new IncidentTables();
  const log = new ReplayLog(disk, "incident-events");
  for (let partition = 0; partition < partitions; partition += 1) {
    const session = await RecordSession.open(partition, "replay", {
      log,
      store: {
        claim: async (at, token) => tables.claim(at, token),
        load: async (at, token, position, ids) => tables.load(at, token, position, ids),
        commit: async (at, token, previous, commit) => tables.commit(at, token, previous, commit),
        verify: async (at, token, position) => tables.verify(at, token, position),
      },
      rules: cleanRules,
      hash: sha256,
      cacheMax: Number.MAX_SAFE_INTEGER,
      wished: () => {},
      recorded: () => {},
    });
    const records = recordsOf(disk, "incident-events", partition);
    for (const record of records) await session.process(record);
    if (records.length > 0) await session.commit();
  }
  return tables;
}
