import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { openPostgresIncidentStore } from "@winnow/adapters/store-postgres";
import { openRedisWindowStore } from "@winnow/adapters/windows-redis";
import type {
  CheckpointStore,
  Clock,
  CommitMeta,
  EventLog,
  StagePartition,
  StateChange,
  StateRow,
} from "@winnow/ports";
import {
  Checkpointer,
  claimRestored,
  defaultCheckpointSettings,
  type RestoredClaim,
  scanStates,
} from "@winnow/runtime";
import { incidentSamples } from "@winnow/testkit";
import { Redis } from "ioredis";
import { Client } from "pg";
import t from "tap";
import { sharedServers, skipWithout } from "./shared.ts";

t.setTimeout(300_000);
const servers = await sharedServers(t, ["redis", "postgres"]);
const skip = skipWithout(servers, "redis", "postgres");

const at: StagePartition = { stage: "B", partition: 2 };
const log = { bounds: async () => ({ ...incidentSamples.metaAt(0), start_offset: 0, end_offset: 100 }) };
const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: async (ms) => {
    await sleep(ms);
  },
};

/** Keys that sort differently by their bytes and by their characters, and many of them. */
const keyOf = (n: number): string => `${["a:", "ü:", "警:", "🚨:", "\uffee:"][n % 5]}${n}`;

function put(n: number, value: string, changedAt: number): StateChange {
  return { key: keyOf(n), value: JSON.stringify(value), deadline_ms: n % 3 === 0 ? n : null, changed_at: changedAt };
}

function sorted(rows: Iterable<StateRow>): StateRow[] {
  return [...rows].toSorted((left, right) => Buffer.compare(Buffer.from(left.key), Buffer.from(right.key)));
}

async function checkpointOf(store: CheckpointStore): Promise<{ meta: CommitMeta | null; rows: StateRow[] }> {
  const checkpoint = await store.loadCheckpoint(at);
  const rows: StateRow[] = [];
  if (checkpoint !== null) for await (const chunk of checkpoint.rows) rows.push(...chunk);
  return { meta: checkpoint?.meta ?? null, rows: sorted(rows) };
}

await t.test(
  "on a real Redis and a real Postgres, what Redis loses comes back from the checkpoint",
  { skip },
  async (t) => {
    const redisUrl = servers.redis?.url ?? "";
    const postgresUrl = servers.postgres?.url ?? "";
    const prefix = `test-${randomUUID()}`;
    const schema = `t${process.pid}_checkpoints`;
    const names = { schema, reportingSchema: `${schema}_r` };
    const silent = { info: () => {}, warn: () => {}, error: () => {} };
    const windows = await openRedisWindowStore({ url: redisUrl, partitions: 4, prefix, log: silent });
    const store = await openPostgresIncidentStore({
      url: postgresUrl,
      ...names,
      partitions: 4,
      poolMax: 3,
      log: silent,
    });
    const redis = new Redis(redisUrl);
    const empty = async (): Promise<void> => {
      for await (const keys of redis.scanStream({ match: `{${prefix}*`, count: 1_000 }))
        if (keys.length > 0) await redis.unlink(...(keys as string[]));
    };
    t.teardown(async () => {
      await empty();
      await redis.quit();
      await windows.close();
      await store.close();
      const admin = new Client({ connectionString: postgresUrl });
      await admin.connect();
      await admin.query(`DROP SCHEMA IF EXISTS ${names.reportingSchema}, ${names.schema} CASCADE`);
      await admin.end();
    });

    /** The states that Redis should hold. */
    const states = new Map<string, StateRow>();
    let claims = 0;
    const claim = (): Promise<RestoredClaim> => {
      claims += 1;
      const stores = { log: log as Partial<EventLog> as EventLog, windows, checkpoints: store };
      return claimRestored({ ...at, topic: "transitions" }, `token-${claims}`, stores);
    };
    const checkpointerOf = ({ meta, checkpoint }: RestoredClaim): Checkpointer => {
      const report = {
        saved: () => {},
        restored: () => {},
        failed: (_at: StagePartition, error: unknown) => {
          t.fail(String(error));
        },
      };
      const { signal } = new AbortController();
      const token = `token-${claims}`;
      const settings = defaultCheckpointSettings;
      return new Checkpointer(
        { at, token, windows, checkpoints: store, clock, settings, report, signal },
        meta,
        checkpoint,
      );
    };
    const commit = async (previous: number, position: number, changes: readonly StateChange[]): Promise<CommitMeta> => {
      const meta = incidentSamples.metaAt(position);
      t.same(await windows.commit(at, `token-${claims}`, previous, { meta, changes }), { committed: true });
      for (const { value, ...rest } of changes)
        if (value === null) states.delete(rest.key);
        else states.set(rest.key, { ...rest, value });
      return meta;
    };
    const redisRows = async (): Promise<StateRow[]> => {
      const rows: StateRow[] = [];
      for await (const chunk of scanStates(windows, at, () => Promise.resolve())) rows.push(...chunk);
      return sorted(rows);
    };

    const first = checkpointerOf(await claim());
    const many = Array.from({ length: 5_000 }, (_, n) => put(n, "first", n % 5));
    first.committed(await commit(0, 5, many), many);
    await first.finish();
    t.same(await checkpointOf(store), { meta: incidentSamples.metaAt(5), rows: sorted(states.values()) });

    // A crash: the changes up to 9 are in Redis alone.
    const gone = Array.from({ length: 1_500 }, (_, n) => ({ ...put(n * 3, "", 7), value: null, deadline_ms: null }));
    await commit(5, 9, [
      ...gone,
      ...Array.from({ length: 1_500 }, (_, n) => put(n * 3 + 1, "second", 8)),
      put(9_999, "new", 8),
    ]);
    const second = checkpointerOf(await claim());
    await second.finish();
    t.same(await checkpointOf(store), { meta: incidentSamples.metaAt(9), rows: sorted(states.values()) });

    await empty();
    const restored = await claim();
    t.equal(restored.meta?.position, 9);
    t.same(await redisRows(), sorted(states.values()), "emptied");
    t.equal(restored.deadlines.length, [...states.values()].filter(({ deadline_ms }) => deadline_ms !== null).length);

    // An older copy with states that are gone by the checkpoint.
    const wanted = sorted(states.values());
    await commit(9, 3, [
      ...gone.map(({ key }) => ({ key, value: "1", deadline_ms: 1, changed_at: 1 })),
      put(9_999, "old", 1),
    ]);
    const again = await claim();
    t.equal(again.meta?.position, 9);
    t.same(await redisRows(), wanted, "put back from an older copy");
    t.same((await windows.claim(at, "after")).deadlines.length, restored.deadlines.length);
  },
);
