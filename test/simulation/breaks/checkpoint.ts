import type { CheckpointSave, CommitMeta, StateChange, StateCommit, StoredRecord, WindowStore } from "@winnow/ports";
import type { VirtualProcess } from "@winnow/testkit";
import type { Tampering } from "../tampering.ts";
import { wrapped } from "./wrapped.ts";

/** Breaks of checkpoints, of restoring from them, of trimming, and of time where machines' clocks differ. */
export const checkpointBreaks = (): Readonly<Record<string, Tampering>> => ({
  "restore-keeps-surplus-keys": onRestore((store, commit) => {
    const changes = commit.changes.filter(({ value }) => value !== null);
    return store({ ...commit, changes });
  }),
  "restore-writes-the-position-first": {
    ...onRestore(async (store, commit, previous) => {
      const moved = await store({ ...commit, changes: [] }, previous);
      return "refused" in moved ? moved : store(commit, commit.meta.position);
    }),
    roughness: { faultRate: 0.05 },
  },
  "restore-skipped": skippedWhen(() => true),
  "restore-only-into-an-empty-store": skippedWhen((meta) => meta !== null),
  "load-taken-after-a-rewind": {
    windows: (store) =>
      wrapped(store, {
        load: async (at, token, position, keys) => {
          const loaded = await store.load(at, token, position, keys);
          return "refused" in loaded ? { rows: await store.peek(at, keys) } : loaded;
        },
      }),
  },
  "checkpoint-with-states-of-the-future": statesOfTheFuture(),
  "checkpoint-going-backwards": {
    checkpointTables: { takesAnyPrevious: true },
    roughness: { lateSaves: 0.5 },
  },
  "checkpoint-delta-from-memory": deltaFromMemory(),
  "checkpoint-without-tombstones": { checkpointTables: { keepsDeleted: true } },
  "trim-at-the-commit": {
    session: (session) => wrapped(session, { trimBelow: () => Promise.resolve(session.position) }),
  },
  "tick-time-above-append-time": readingAs((record) =>
    record.value.kind === "tick"
      ? { ...record, appended_ms: Math.max(record.appended_ms, record.value.at_ms) }
      : record,
  ),
  "receivers-clocks-believed": readingAs(({ offset, appended_ms, value }) => ({ offset, appended_ms, value })),
});

type Restoring = (
  commit: (commit: StateCommit, previous?: number) => ReturnType<WindowStore["commit"]>,
  restored: StateCommit,
  previous: number,
) => ReturnType<WindowStore["commit"]>;

/** Replaces the commit that brings a partition to its checkpoint: the one with the very facts that were loaded. */
function onRestore(how: Restoring): Tampering {
  const loaded = new WeakSet<CommitMeta>();
  return {
    checkpoints: (store) =>
      wrapped(store, {
        loadCheckpoint: async (at) => {
          const checkpoint = await store.loadCheckpoint(at);
          if (checkpoint !== null) loaded.add(checkpoint.meta);
          return checkpoint;
        },
      }),
    windows: (store) =>
      wrapped(store, {
        commit: (at, token, previous, commit) =>
          loaded.has(commit.meta)
            ? how((changed, from = previous) => store.commit(at, token, from, changed), commit, previous)
            : store.commit(at, token, previous, commit),
      }),
  };
}

/** Right after a claim of a store that holds such a commit, no checkpoint is found. */
function skippedWhen(skips: (meta: CommitMeta | null) => boolean): Tampering {
  const claimed = new Map<string, boolean>();
  return {
    windows: (store, process) =>
      wrapped(store, {
        claim: async (at, token) => {
          const claim = await store.claim(at, token);
          claimed.set(`${process.name} ${at.stage}.${at.partition}`, skips(claim.meta));
          return claim;
        },
      }),
    checkpoints: (store, process) =>
      wrapped(store, {
        checkpointMeta: async (at) => {
          const place = `${process.name} ${at.stage}.${at.partition}`;
          const isSkipped = claimed.get(place) === true;
          claimed.delete(place);
          return isSkipped ? null : store.checkpointMeta(at);
        },
      }),
  };
}

/** States are read when the checkpoint is written, some commits after the one that it names. */
function statesOfTheFuture(): Tampering {
  const stores = new Map<VirtualProcess, WindowStore>();
  return {
    windows: (store, process) => {
      stores.set(process, store);
      return store;
    },
    checkpoints: (store, process) =>
      wrapped(store, {
        saveCheckpoint: async (at, save) => {
          const { all, position } = await allOf(save);
          await process.clock.sleep(600);
          const keys = all.map(({ key }) => key);
          const rows = new Map((await stores.get(process)?.peek(at, keys))?.map((row) => [row.key, row]));
          const later = all.map(({ key, changed_at }): StateChange => {
            const row = rows.get(key);
            if (row === undefined) return { key, value: null, deadline_ms: null, changed_at };
            return { ...row, changed_at: Math.min(row.changed_at, position - 1) };
          });
          return store.saveCheckpoint(at, { ...save, changes: [later] });
        },
      }),
  };
}

/** Only what this session has changed itself is saved. */
function deltaFromMemory(): Tampering {
  const claimed = new Map<string, number>();
  const nameOf = (process: VirtualProcess, at: { readonly stage: string; readonly partition: number }) =>
    `${process.name} ${at.stage}.${at.partition}`;
  return {
    windows: (store, process) =>
      wrapped(store, {
        claim: async (at, token) => {
          const claim = await store.claim(at, token);
          claimed.set(nameOf(process, at), claim.meta?.position ?? 0);
          return claim;
        },
      }),
    checkpoints: (store, process) =>
      wrapped(store, {
        saveCheckpoint: async (at, save) => {
          const { all } = await allOf(save);
          const from = claimed.get(nameOf(process, at)) ?? 0;
          return store.saveCheckpoint(at, { ...save, changes: [all.filter(({ changed_at }) => changed_at >= from)] });
        },
      }),
  };
}

async function allOf(
  save: CheckpointSave,
): Promise<{ readonly all: readonly StateChange[]; readonly position: number }> {
  const all: StateChange[] = [];
  for await (const chunk of save.changes) all.push(...chunk);
  return { all, position: save.meta.position };
}

/** The stages see every record like this. */
function readingAs(seen: (record: StoredRecord) => StoredRecord): Tampering {
  return {
    log: (log) =>
      wrapped(log, {
        read: async (topic, partition, offset, max) => (await log.read(topic, partition, offset, max)).map(seen),
      }),
  };
}
