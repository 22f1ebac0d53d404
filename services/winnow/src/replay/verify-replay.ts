import { createHash } from "node:crypto";
import { describeSegments, readSegments } from "@winnow/adapters/log-segment";
import { openSqliteIncidentStore } from "@winnow/adapters/store-sqlite";
import { openSqliteWindowStore } from "@winnow/adapters/windows-sqlite";
import type { OutputsRecord, StageId } from "@winnow/contracts";
import {
  correlateStage,
  decideRecord,
  dedupStage,
  type IncidentRecord,
  incidentIdOf,
  partitionOf,
  routingDigestOf,
  type Stage,
} from "@winnow/core";
import { createLogger, fieldsFirst, type Logger } from "@winnow/platform";
import type { CommitMeta, IncidentStore, WindowStore } from "@winnow/ports";
import { canonicalJson } from "@winnow/rules";
import { Marks, StageSession } from "@winnow/runtime";
import { openDataDirectory } from "../assembly/data-directory.ts";
import { randomIds, sha256, systemClock } from "../assembly/platform-parts.ts";
import { StoredRuleBook } from "../assembly/stored-rules.ts";
import { FirstCommit, PublishedOutputs } from "./memory-stores.ts";

/** One partition of one stage, rebuilt from the log and held against what is stored. */
export interface ReplayedPartition {
  readonly stage: StageId;
  readonly partition: number;
  /** Records replayed: up to the stored position. */
  readonly records: number;
  readonly states: number;
  readonly stored_digest: string;
  readonly replayed_digest: string;
  /** Published outputs whose content differs from what the replay decides, or that it does not know. */
  readonly outputs_differing: number;
  readonly equal: boolean;
  /** Why it could not be verified, or null. */
  readonly unverifiable: string | null;
}

export interface ReplayReport {
  readonly equal: boolean;
  readonly partitions: readonly ReplayedPartition[];
}

interface Workbench {
  readonly logDir: string;
  readonly windows: WindowStore;
  readonly store: IncidentStore;
  readonly book: StoredRuleBook;
  readonly partitions: number;
}

/**
 * Rebuilds every state of a stopped installation from its log, decides everything again, and compares digests.
 * Rejects with `data_dir_locked` while the installation runs.
 */
export async function verifyReplay(
  dataDir: string,
  logger: Logger = createLogger({ level: "warn" }),
): Promise<ReplayReport> {
  const data = openDataDirectory(dataDir, randomIds);
  const clock = systemClock();
  try {
    const partitions = await countPartitions(data.log);
    const log = fieldsFirst(logger);
    const windows = await openSqliteWindowStore({ file: data.windows, partitions, log });
    const store = await openSqliteIncidentStore({ file: data.incidents, partitions, clock, log });
    try {
      const bench = { logDir: data.log, windows, store, book: new StoredRuleBook(store, sha256), partitions };
      return await replayAll(bench);
    } finally {
      await windows.close();
      await store.close();
    }
  } finally {
    data.release();
  }
}

async function countPartitions(logDir: string): Promise<number> {
  let partitions = 0;
  while ((await describeSegments(logDir, "alerts", partitions)).segments > 0) partitions += 1;
  return partitions;
}

async function replayAll(bench: Workbench): Promise<ReplayReport> {
  const found: ReplayedPartition[] = [];
  for (let partition = 0; partition < bench.partitions; partition += 1) {
    found.push(await replayStage(dedupStage, partition, bench));
    found.push(await replayStage(correlateStage, partition, bench));
    found.push(await replayRecord(partition, bench));
  }
  return { equal: found.every((one) => one.equal), partitions: found };
}

function unverifiable(stage: StageId, partition: number, why: string): ReplayedPartition {
  return {
    stage,
    partition,
    records: 0,
    states: 0,
    stored_digest: "",
    replayed_digest: "",
    outputs_differing: 0,
    equal: false,
    unverifiable: why,
  };
}

/** Stage A or B: the same session code over the log alone. */
async function replayStage<Item>(stage: Stage<Item>, partition: number, bench: Workbench): Promise<ReplayedPartition> {
  const { logDir, windows, book, partitions } = bench;
  const metas = await windows.metas(stage.id);
  const meta = metas.find((one) => one.partition === partition)?.meta ?? null;
  const segments = await describeSegments(logDir, stage.input, partition);
  if (segments.start_offset > 0)
    return unverifiable(stage.id, partition, `records below ${segments.start_offset} were removed by retention`);
  const outputs = new PublishedOutputs({ partitions, input: stage.input, logId: segments.log_id ?? "" });
  const kept = new FirstCommit();
  const clock = systemClock();
  const session = await StageSession.open(
    stage,
    { partition, token: "replay", signal: new AbortController().signal },
    {
      log: outputs,
      windows: kept,
      clock,
      hash: sha256,
      rules: book,
      facts: { readySince: () => 0, delivered: () => ({}) },
      cacheMax: Number.MAX_SAFE_INTEGER,
    },
  );
  let records = 0;
  for await (const record of readSegments(logDir, stage.input, partition)) {
    if (record.offset >= (meta?.position ?? 0)) break;
    await session.process(record);
    records += 1;
  }
  if (records > 0) await session.commit();
  const replayed = new Map(
    kept.changes.flatMap(({ key, value, deadline_ms }) =>
      value === null ? [] : [[key, line(key, value, deadline_ms)]],
    ),
  );
  const stored = await storedStates(stage.id, partition, windows);
  const differing = await differingOutputs(stage, partition, outputs, bench);
  return verdict({ stage: stage.id, partition, records, differing }, stored, replayed, [
    meta,
    records > 0 ? kept.meta : null,
  ]);
}

function line(key: string, value: string, deadline: number | null): string {
  return `${key} ${canonicalJson(JSON.parse(value))} ${deadline ?? ""}`;
}

async function storedStates(stage: "A" | "B", partition: number, windows: WindowStore): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (let after: string | null = null; ; ) {
    const rows = await windows.scan({ stage, partition }, { prefix: "", after, limit: 5_000 });
    for (const row of rows) found.set(row.key, line(row.key, row.value, row.deadline_ms));
    const last = rows.at(-1);
    if (last === undefined) return found;
    after = last.key;
  }
}

/** What truly differs: the numbers of a commit that a replay must reach as well. */
function metaDigest(meta: CommitMeta | null): string {
  if (meta === null) return "";
  const { position, clock_ms, rule_generation, rule_digest, marks, published, outcomes, seen, passed, settled } = meta;
  return canonicalJson({
    position,
    clock_ms,
    rule_generation,
    rule_digest,
    marks,
    published,
    outcomes,
    seen,
    passed,
    settled,
  });
}

function verdict(
  what: { stage: StageId; partition: number; records: number; differing: number },
  stored: ReadonlyMap<string, string>,
  replayed: ReadonlyMap<string, string>,
  metas: readonly [CommitMeta | null, CommitMeta | null],
): ReplayedPartition {
  const storedDigest = digestOf(stored, metaDigest(metas[0]));
  const replayedDigest = digestOf(replayed, metaDigest(metas[1]));
  return {
    stage: what.stage,
    partition: what.partition,
    records: what.records,
    states: replayed.size,
    stored_digest: storedDigest,
    replayed_digest: replayedDigest,
    outputs_differing: what.differing,
    equal: storedDigest === replayedDigest && what.differing === 0,
    unverifiable: null,
  };
}

function digestOf(lines: ReadonlyMap<string, string>, tail: string): string {
  const digest = createHash("sha256");
  for (const key of [...lines.keys()].toSorted()) digest.update(`${lines.get(key) ?? ""}\n`);
  return digest.update(tail).digest("hex");
}

/** Every published output up to the replayed position must be one that the replay decides too, with the same content. */
async function differingOutputs<Item>(
  stage: Stage<Item>,
  partition: number,
  outputs: PublishedOutputs,
  bench: Workbench,
): Promise<number> {
  const target = stage.id === "A" ? "transitions" : "incident-events";
  const expected = new Map<string, string>();
  let latest = -1;
  for (const { partition: to, value } of outputs.published)
    if (value.kind === "outputs")
      for (const item of value.items) {
        expected.set(`${to} ${item.id.join(".")}`, canonicalJson(item));
        latest = Math.max(latest, item.id[0]);
      }
  let differing = 0;
  const seen = new Set<string>();
  const trimmed = new Set<number>();
  for (let to = 0; to < bench.partitions; to += 1) {
    if ((await describeSegments(bench.logDir, target, to)).start_offset > 0) trimmed.add(to);
    for await (const { value } of readSegments(bench.logDir, target, to)) {
      if (value.kind !== "outputs" || value.stage !== stage.id || value.partition !== partition) continue;
      for (const item of value.items) {
        const name = `${to} ${item.id.join(".")}`;
        // Outputs beyond the stored position belong to decisions that will be made again.
        if (item.id[0] > latest && !expected.has(name)) continue;
        seen.add(name);
        if (expected.get(name) !== canonicalJson(item)) differing += 1;
      }
    }
  }
  // Where retention has been at work, what is missing may have been removed.
  const missing = [...expected.keys()].filter((name) => !seen.has(name) && !trimmed.has(Number(name.split(" ")[0])));
  return differing + missing.length;
}

/** Stage C: incidents decided anew out of its input. */
async function replayRecord(partition: number, bench: Workbench): Promise<ReplayedPartition> {
  const { logDir, store, book } = bench;
  const metas = await store.recordMetas();
  const meta = metas.find((one) => one.partition === partition)?.meta ?? null;
  const segments = await describeSegments(logDir, "incident-events", partition);
  if (segments.start_offset > 0)
    return unverifiable("C", partition, `records below ${segments.start_offset} were removed by retention`);
  const marks = new Marks({});
  const known = new Map<string, IncidentRecord>();
  let records = 0;
  for await (const record of readSegments(logDir, "incident-events", partition)) {
    if (record.offset >= (meta?.position ?? 0)) break;
    records += 1;
    if (record.value.kind === "outputs") await recordOutputs(record.value, { marks, known, book });
  }
  const replayed = new Map([...known].map(([id, row]) => [id, incidentLine(row)]));
  const stored = await storedIncidents(partition, bench);
  return verdict({ stage: "C", partition, records, differing: 0 }, stored, replayed, [null, null]);
}

async function recordOutputs(
  value: OutputsRecord,
  parts: { readonly marks: Marks; readonly known: Map<string, IncidentRecord>; readonly book: StoredRuleBook },
): Promise<void> {
  for (const { body } of parts.marks.takeOutputs(value)) {
    const digest = routingDigestOf(body);
    const id = incidentIdOf(body);
    const rules = digest === null ? null : await parts.book.get(digest);
    const decision = decideRecord(body, id === null ? undefined : parts.known.get(id), rules);
    if (id !== null && decision.incident !== null) parts.known.set(id, decision.incident);
  }
}

/** The router adds lines of its own, so timeline numbers are left out. */
function incidentLine(row: Pick<IncidentRecord, "snapshot" | "destinations" | "action_ids">): string {
  const { snapshot, destinations, action_ids } = row;
  return canonicalJson({ snapshot, destinations, action_ids });
}

async function storedIncidents(partition: number, bench: Workbench): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (let cursor: string | undefined; ; ) {
    const page = await bench.store.incidents({ limit: 500, ...(cursor === undefined ? {} : { cursor }) });
    for (const row of page.items) {
      const id = row.snapshot.incident_id;
      if (partitionOf(id, bench.partitions) === partition) found.set(id, incidentLine(row));
    }
    if (page.next_cursor === null) return found;
    cursor = page.next_cursor;
  }
}
