import type { ActionRecord, LogValue, OutputId, OutputItem, OutputsRecord } from "@winnow/contracts";
import { compareOutputIds } from "@winnow/contracts";
import type { IncidentState } from "@winnow/core";
import { WinnowError } from "@winnow/platform";
import type { StoredRecord } from "@winnow/ports";
import type { PartitionSession } from "@winnow/runtime";
import type { Tampering } from "../tampering.ts";
import { wrapped } from "./wrapped.ts";

/** Breaks of marks, ids, generations, timers and accounting. */
export const inputBreaks = (): Readonly<Record<string, Tampering>> => ({
  "commit-inside-a-record": {
    session: (session, { stage }) => (stage === "A" ? session : wrapped(session, { process: inHalves(session) })),
  },
  "every-transition-counts-an-outcome": {
    stageB: (stage) => ({ ...stage, accountable: (item) => item.type === "transition" }),
  },
  "rules-by-digest-without-generation": { log: (log) => wrapped(log, { read: takingEveryActivation(log) }) },
  "actions-without-id": {
    roughness: { faultRate: 0.04 },
    stageB: (stage) => ({
      ...stage,
      decide: (item, read, context) =>
        stage.decide(item, item.type === "action" ? (key) => forgetting(read(key), item) : read, context),
    }),
  },
  "idle-owner-never-looks-at-the-store": {
    session: (session) => wrapped(session, { verify: () => Promise.resolve(null) }),
  },
  "timers-outside-the-log": {
    session: (session, { clock }) =>
      wrapped(session, {
        tick: async () => {
          const offset = session.position - 1;
          const value = { kind: "tick" as const, at_ms: clock.now(), ready_since_ms: 0, delivered_ms: {} };
          await session.process({ offset, appended_ms: clock.now(), value });
          return offset;
        },
      }),
  },
  "id-chain-per-source": { log: (log) => wrapped(log, { append: chainedPerSource(log) }) },
  "mark-per-upstream-stage-and-no-gap-check": marksPerStage(),
});

/** Commits between the halves of a record. */
function inHalves(session: PartitionSession): PartitionSession["process"] {
  return async (record) => {
    const { value } = record;
    if (value.kind !== "outputs" || value.items.length < 2) return session.process(record);
    const half = Math.floor(value.items.length / 2);
    const first = await session.process({ ...record, value: { ...value, items: value.items.slice(0, half) } });
    const result = await session.commit();
    if ("refused" in result) throw new WinnowError("store_unavailable", "refused inside a record");
    return first + (await session.process({ ...record, value: { ...value, items: value.items.slice(half) } }));
  };
}

type Read = Parameters<NonNullable<Tampering["log"]>>[0]["read"];
type Append = Parameters<NonNullable<Tampering["log"]>>[0]["append"];

/** An old activation that comes by again is given a new generation, so that it counts. */
function takingEveryActivation(log: { read: Read }): Read {
  const newest = new Map<number, { generation: number; digest: string }>();
  return async (topic, partition, offset, max) => {
    const records = await log.read(topic, partition, offset, max);
    return records.map((record): StoredRecord => {
      const { value } = record;
      if (value.kind !== "rules") return record;
      const before = newest.get(partition) ?? { generation: 0, digest: "" };
      const again = value.generation <= before.generation && value.digest !== before.digest;
      const generation = again ? before.generation + 1 : value.generation;
      newest.set(partition, { generation, digest: value.digest });
      return { ...record, value: { ...value, generation } };
    });
  };
}

/** An incident's state that does not remember this action. */
function forgetting(state: unknown, action: ActionRecord): unknown {
  if (typeof state !== "object" || state === null || !("actionIds" in state)) return state;
  const incident = state as IncidentState;
  return { ...incident, actionIds: incident.actionIds.filter((id) => id !== action.action_id) };
}

/** Every output names the one before it to any partition, not to the same one. */
function chainedPerSource(log: { append: Append }): Append {
  const last = new Map<string, OutputId>();
  const chained = (value: OutputsRecord): OutputsRecord => {
    const source = `${value.stage}.${value.partition}`;
    const items = value.items.map((item): OutputItem => {
      const prev = last.get(source) ?? null;
      last.set(source, item.id);
      return { ...item, prev };
    });
    return { ...value, items };
  };
  return (topic, partition, records) =>
    log.append(
      topic,
      partition,
      records.map(({ value, events }) => ({ value: value.kind === "outputs" ? chained(value) : value, events })),
    );
}

/** One mark for all partitions of the stage before, and no look at the predecessor. */
function marksPerStage(): Tampering {
  const claimed = new Map<string, Readonly<Record<string, readonly number[]>>>();
  return {
    windows: (store) =>
      wrapped(store, {
        claim: async (at, token) => {
          const claim = await store.claim(at, token);
          claimed.set(`${at.stage}.${at.partition}`, claim.meta?.marks ?? {});
          return claim;
        },
      }),
    session: (session, { stage, partition }) => {
      if (stage !== "B") return session;
      const marks = new Map(Object.entries(claimed.get(`${stage}.${partition}`) ?? {}) as [string, OutputId][]);
      return wrapped(session, {
        process: (record) => session.process({ ...record, value: withoutGaps(record.value, marks) }),
      });
    },
  };
}

function withoutGaps(value: LogValue, marks: Map<string, OutputId>): LogValue {
  if (value.kind !== "outputs") return value;
  const upstream = `${value.stage}.${value.partition}`;
  const items: OutputItem[] = [];
  for (const item of value.items) {
    if ([...marks.values()].some((mark) => compareOutputIds(item.id, mark) <= 0)) continue;
    items.push({ ...item, prev: marks.get(upstream) ?? null });
    marks.set(upstream, item.id);
  }
  return { ...value, items };
}
