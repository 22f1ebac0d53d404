import fc from "fast-check";
import t from "tap";
import { PartitionWriter } from "../src/partition-writer.ts";
import { type Chunk, chunkItems } from "../src/records.ts";
import { recoverSeq } from "../src/recover-seqs.ts";
import { type Fault, MemoryLog } from "./support/memory-log.ts";

function writerOf(log: MemoryLog, lastSeq = 0, recordsMax = 1_000): PartitionWriter {
  return new PartitionWriter({
    log,
    partition: 0,
    receiverId: "r1",
    lastSeq,
    recordsMax,
    recoverSeq: () => recoverSeq(0, { log, receiverId: "r1", metas: [] }),
  });
}

const chunksOf = (id: string): Chunk[] =>
  chunkItems(
    [
      {
        type: "dead_letter",
        id,
        received_ms: 0,
        integration: "i",
        reason: { code: "c", text: "t" },
        raw_base64: "",
        bytes: 0,
        sha256: "",
      },
    ],
    100_000,
  );

const input = (...ids: string[]) => ({ chunks: ids.flatMap(chunksOf), receivedMs: 7, traceparent: undefined });

const idsIn = (log: MemoryLog): string[] => log.items().map((item) => (item as { id: string }).id);

/** Resolves with "durable", or with the error's code. */
async function fateOf(append: Promise<unknown>): Promise<string> {
  return append.then(
    () => "durable",
    (error: unknown) => (error as { code: string }).code,
  );
}

await t.test("what waits while an append is under way goes out together, in order", async (t) => {
  const log = new MemoryLog(1);
  const writer = writerOf(log, 41);
  log.hold();
  const begun = Promise.withResolvers<void>();
  log.onAppend = () => {
    begun.resolve();
  };
  const first = writer.append(input("a"));
  await begun.promise;
  const rest = ["b", "c", "d"].map((id) => writer.append(input(id, `${id}2`)));
  log.release();
  await Promise.all([first, ...rest]);
  t.equal(log.appends.length, 2);
  t.same(idsIn(log), ["a", "b", "b2", "c", "c2", "d", "d2"]);
  t.same(log.seqs(0), [42, 43, 44, 45, 46, 47, 48]);
});

await t.test("a batch takes whole deliveries up to its limit", async (t) => {
  const log = new MemoryLog(1);
  const writer = writerOf(log, 0, 3);
  await Promise.all(
    [input("a", "b"), input("c", "d"), input("e"), input("f", "g", "h", "i")].map((it) => writer.append(it)),
  );
  t.equal(log.appends.length, 3);
  t.same(log.seqs(0), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

await t.test("a batch that fails leaves no gap: its numbers are given again", async (t) => {
  const log = new MemoryLog(1);
  const writer = writerOf(log);
  log.failNext("log_write_failed", "log_full");
  const fates = await Promise.all([fateOf(writer.append(input("a"))), fateOf(writer.append(input("b", "c")))]);
  t.same(fates, ["log_write_failed", "log_write_failed"]);
  t.equal(await fateOf(writer.append(input("d"))), "log_full");
  t.equal(await fateOf(writer.append(input("e", "f"))), "durable");
  t.same(log.seqs(0), [1, 2]);
  t.same(idsIn(log), ["e", "f"]);
});

await t.test("what waited behind a failed batch is numbered from the last durable record", async (t) => {
  const log = new MemoryLog(1);
  const writer = writerOf(log);
  await writer.append(input("a"));
  log.hold();
  log.failNext("log_write_failed");
  const begun = Promise.withResolvers<void>();
  log.onAppend = () => {
    begun.resolve();
  };
  const failing = fateOf(writer.append(input("b", "c")));
  await begun.promise;
  const waiting = fateOf(writer.append(input("d")));
  log.release();
  t.equal(await failing, "log_write_failed");
  t.equal(await waiting, "durable");
  t.same(log.seqs(0), [1, 2]);
  t.same(idsIn(log), ["a", "d"]);
});

await t.test("when the fate of an append is unknown the log is asked before anything more is written", async (t) => {
  for (const [fault, expected] of [
    ["unknown_written", [1, 2, 3, 4]],
    ["unknown_lost", [1, 2]],
  ] as const) {
    const log = new MemoryLog(1);
    const writer = writerOf(log);
    await writer.append(input("a"));
    log.failNext(fault);
    t.equal(await fateOf(writer.append(input("b", "c"))), "log_unknown");
    t.equal(await fateOf(writer.append(input("d"))), "durable");
    t.same(log.seqs(0), expected, fault);
  }
});

await t.test("while the log cannot be asked, nothing is written", async (t) => {
  const log = new MemoryLog(1);
  let asked = 0;
  const writer = new PartitionWriter({
    log,
    partition: 0,
    receiverId: "r1",
    lastSeq: 0,
    recordsMax: 10,
    recoverSeq: () => {
      asked += 1;
      return asked === 1 ? Promise.reject(new Error("unreadable")) : Promise.resolve(0);
    },
  });
  log.failNext("unknown_lost");
  await fateOf(writer.append(input("a")));
  await t.rejects(writer.append(input("b")));
  t.same(log.appends, [0], "the second append never reached the log");
  t.equal(await fateOf(writer.append(input("c"))), "durable");
  t.same(log.seqs(0), [1]);
});

await t.test("whatever fails, seqs rise by one and everything confirmed is there exactly once, in order", async (t) => {
  const fault = fc.constantFrom<Fault | "none">(
    "none",
    "none",
    "log_write_failed",
    "log_full",
    "unknown_written",
    "unknown_lost",
  );
  const step = fc.record({
    fault,
    deliveries: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 }),
  });
  const property = fc.asyncProperty(
    fc.array(step, { maxLength: 12 }),
    fc.integer({ min: 1, max: 5 }),
    async (steps, max) => {
      const log = new MemoryLog(1);
      const writer = writerOf(log, 0, max);
      const confirmed: string[] = [];
      for (const [n, { fault: planned, deliveries }] of steps.entries()) {
        if (planned !== "none") log.failNext(planned);
        const fates = deliveries.map(async (chunks, d) => {
          const ids = Array.from({ length: chunks }, (_, c) => `${n}.${d}.${c}`);
          if ((await fateOf(writer.append(input(...ids)))) === "durable") confirmed.push(...ids);
        });
        await Promise.all(fates);
      }
      const ids = idsIn(log);
      const seqs = log.seqs(0);
      t.ok(
        seqs.every((seq, at) => seq === at + 1),
        `seqs ${seqs.join(" ")}`,
      );
      t.equal(new Set(ids).size, ids.length, "nothing twice");
      t.same(
        ids.filter((id) => confirmed.includes(id)),
        confirmed,
        "confirmed, in order",
      );
    },
  );
  await fc.assert(property, { numRuns: 100 });
});

await t.test("an append tells the offset behind its last record", async (t) => {
  const log = new MemoryLog(1);
  const writer = writerOf(log);
  t.equal(await writer.append(input("a")), 1);
  const ends = await Promise.all([writer.append(input("b", "c")), writer.append(input("d"))]);
  t.same(ends, [3, 4]);
});

await t.test("a log that has let its records go does not make the numbers begin again", async (t) => {
  const log = new MemoryLog(1);
  const writer = writerOf(log, 7);
  await writer.append(input("a"));
  log.trimTo(1);
  log.failNext("unknown_lost");
  await fateOf(writer.append(input("b")));
  await writer.append(input("c"));
  t.same(log.seqs(0), [8, 9]);
});
