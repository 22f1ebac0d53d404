import type { LogValue } from "@winnow/contracts";
import type { CommitMeta, FactStore } from "@winnow/ports";
import t from "tap";
import { receiverIdOf, recoverSeqs } from "../src/recover-seqs.ts";
import { MemoryLog } from "./support/memory-log.ts";

const events = (seq: number, receiver_id = "r1"): LogValue => ({
  kind: "events",
  receiver_id,
  seq,
  received_ms: 0,
  items: [],
});
const tick: LogValue = { kind: "tick", at_ms: 0, ready_since_ms: 0, delivered_ms: {} };

async function logOf(...values: LogValue[]): Promise<MemoryLog> {
  const log = new MemoryLog(1);
  for (const value of values) await log.append("alerts", 0, [{ value, events: 0 }]);
  return log;
}

function metaOf(position: number, seq: number, log_id = "log-1"): CommitMeta {
  return {
    position,
    log_id,
    clock_ms: 0,
    rule_generation: 0,
    rule_digest: "",
    engine_version: 1,
    marks: { r1: [seq], r2: [900] },
    published: {},
    outcomes: {},
    seen: 0,
    passed: 0,
    settled: 0,
  };
}

const recover = (log: MemoryLog, meta: CommitMeta | null = null): Promise<number[]> =>
  recoverSeqs({ log, receiverId: "r1", metas: [{ partition: 0, meta }] });

await t.test("an empty log begins at 0", async (t) => {
  t.same(await recover(await logOf()), [0]);
});

await t.test("the last record of this receiver counts, not what others wrote after it", async (t) => {
  t.same(await recover(await logOf(events(1), events(2), tick, events(77, "r2"), tick)), [2]);
});

await t.test("it is found behind any number of ticks", async (t) => {
  for (const ticks of [63, 64, 65, 400, 2_000]) {
    const log = await logOf(events(1), events(2), events(3), ...Array.from({ length: ticks }, () => tick));
    t.same(await recover(log), [3], `${ticks} ticks`);
  }
});

await t.test("what stage A has seen is not read again: its mark says it", async (t) => {
  const log = await logOf(
    ...Array.from({ length: 100 }, (_, n) => events(n + 1)),
    ...Array.from({ length: 500 }, () => tick),
  );
  let read = 0;
  const original = log.read.bind(log);
  log.read = async (...args) => {
    const records = await original(...args);
    read += records.length;
    return records;
  };
  t.same(await recover(log, metaOf(600, 100)), [100]);
  t.equal(read, 0);
  t.same(await recover(log, metaOf(550, 100)), [100]);
  t.ok(read <= 64);
});

await t.test("a trimmed log falls back to the mark", async (t) => {
  const log = await logOf(events(1), events(2), tick, tick);
  log.trimTo(3);
  t.same(await recover(log, metaOf(3, 2)), [2]);
});

await t.test("marks of another log do not hide this one's records", async (t) => {
  const log = await logOf(events(5), events(6));
  t.same(await recover(log, metaOf(2, 4, "another")), [6]);
});

await t.test("a log that lost its tail never gives numbers that stage A has seen", async (t) => {
  t.same(await recover(await logOf(events(1)), metaOf(0, 9)), [9]);
});

await t.test("the receiver's id is made once and kept", async (t) => {
  const facts = new Map<string, string>();
  const store: Pick<FactStore, "fact" | "setFact"> = {
    fact: async (name) => facts.get(name) ?? null,
    setFact: async (name, value) => void facts.set(name, value),
  };
  let made = 0;
  const ids = { token: () => `token-${(made += 1)}` };
  t.equal(await receiverIdOf(store, ids), "token-1");
  t.equal(await receiverIdOf(store, ids), "token-1");
  t.equal(made, 1);
});
