import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hasCode } from "@winnow/platform";
import type { EventLog, StoredRecord } from "@winnow/ports";
import { numberOf, readAll, tickRecord } from "@winnow/testkit";
import t, { type Test } from "tap";
import { describeSegments, readSegments } from "../../src/log-segment/index.ts";
import { directory, failure, HandClock, Lines, openLog } from "./support.ts";

const home = { topic: "alerts", partition: 0 } as const;
const first = join("alerts", "0", "0000000001.seg");

/** A closed log whose alerts partition 0 holds 0 … count-1, each in a group of its own. */
async function closedLog(t: Test, count: number, segmentBytes = 1 << 20): Promise<string> {
  const dir = directory(t);
  const log = await openLog(t, { dir, segmentBytes });
  for (let n = 0; n < count; n += 1) await log.append("alerts", 0, [tickRecord(n, 1)]);
  await log.close();
  return dir;
}

function copy(t: Test, dir: string): string {
  const to = join(directory(t), "copy");
  cpSync(dir, to, { recursive: true });
  return to;
}

function flip(path: string, byte: number): void {
  const bytes = readFileSync(path);
  bytes[byte] = (bytes[byte] ?? 0) ^ 0x10;
  writeFileSync(path, bytes);
}

async function numbers(log: EventLog, offset?: number): Promise<number[]> {
  return (await readAll(log, offset === undefined ? home : { ...home, offset })).map(numberOf);
}

async function collect(records: AsyncIterable<StoredRecord>): Promise<number[]> {
  const all: number[] = [];
  for await (const record of records) all.push(numberOf(record));
  return all;
}

/** Where each frame of a segment begins, found by the marker that no payload contains. */
function framesOf(path: string): number[] {
  const bytes = readFileSync(path);
  const frames: number[] = [];
  for (let at = bytes.indexOf("f5fe", 0, "hex"); at >= 0; at = bytes.indexOf("f5fe", at + 1, "hex")) frames.push(at);
  return frames;
}

await t.test("a tail torn at any byte of the last record is cut, and the log goes on", async (t) => {
  const dir = await closedLog(t, 3);
  const size = readFileSync(join(dir, first)).length;
  const last = framesOf(join(dir, first)).at(-1) ?? 0;
  t.ok(last > 0 && last < size);
  for (let byte = last; byte < size; byte += 1) {
    const torn = copy(t, dir);
    truncateSync(join(torn, first), byte);
    const lines = new Lines();
    const log = await openLog(t, { dir: torn, log: lines });
    const status = await log.status("alerts", 0);
    const offset = await log.append("alerts", 0, [tickRecord(9, 1)]);
    await log.close();
    const again = await openLog(t, { dir: torn });
    const left = await numbers(again);
    await again.close();
    const fine = status.end_offset === 2 && status.events === 2 && offset === 2 && left.join() === "0,1,9";
    if (!fine) t.fail(`cut at ${byte}: ${JSON.stringify(status)}, then ${left.join()}`);
    if (lines.of("warn").length !== (byte === last ? 0 : 1))
      t.fail(`cut at ${byte}: ${lines.of("warn").length} warnings`);
  }
});

await t.test("a tail whose bytes came out wrong is cut, wherever the wrong byte is", async (t) => {
  const dir = await closedLog(t, 3);
  const size = readFileSync(join(dir, first)).length;
  for (let byte = framesOf(join(dir, first)).at(-1) ?? 0; byte < size; byte += 7) {
    const torn = copy(t, dir);
    flip(join(torn, first), byte);
    const log = await openLog(t, { dir: torn });
    if ((await numbers(log)).join() !== "0,1") t.fail(`flipped at ${byte}`);
    await log.close();
  }
});

await t.test("a group of which only later records reached the disk is cut as a whole", async (t) => {
  const dir = directory(t);
  const log = await openLog(t, { dir });
  await log.append("alerts", 0, [tickRecord(0)]);
  await log.append("alerts", 0, [tickRecord(1), tickRecord(2), tickRecord(3)]);
  await log.close();
  const path = join(dir, first);
  const bytes = readFileSync(path);
  const [, second = 0, third = 0] = framesOf(path);
  bytes.fill(0, second, third);
  writeFileSync(path, bytes);
  const lines = new Lines();
  const again = await openLog(t, { dir, log: lines });
  t.same(await numbers(again), [0]);
  t.same(again.health().damages, []);
  t.equal(lines.of("error").length, 0);
});

await t.test("places learned in a tail that is cut are forgotten with it", async (t) => {
  const dir = directory(t);
  const log = await openLog(t, { dir });
  await log.append("alerts", 0, [tickRecord(0)]);
  await log.append(
    "alerts",
    0,
    // Longer than what will stand in their place, so that their bytes lie behind it.
    Array.from({ length: 3000 }, (_, n) => tickRecord(1_000_000_000 + n)),
  );
  await log.close();
  const [, second = 0] = framesOf(join(dir, first));
  flip(join(dir, first), second);
  const again = await openLog(t, { dir, cacheBytesMax: 0 });
  t.match(await again.status("alerts", 0), { end_offset: 1 });
  const others = Array.from({ length: 3000 }, (_, n) => tickRecord(1 + n));
  await again.append("alerts", 0, others);
  for (let offset = 1; offset < 3001; offset += 250) {
    t.equal(numberOf((await again.read("alerts", 0, offset, 1))[0] as StoredRecord), offset);
  }
});

await t.test("a damaged record with durable ones behind it is never skipped: reads stop before it", async (t) => {
  const dir = await closedLog(t, 5);
  const path = join(dir, first);
  const [, , third = 0, fourth = 0] = framesOf(path);
  for (let byte = third; byte < fourth; byte += 5) {
    const damaged = copy(t, dir);
    flip(join(damaged, first), byte);
    const lines = new Lines();
    const log = await openLog(t, { dir: damaged, log: lines });
    const status = await log.status("alerts", 0);
    const before = await log.read("alerts", 0, 0, 1 << 20);
    const error = await failure(log.read("alerts", 0, 2, 1 << 20));
    const behind = await numbers(log, 3);
    const [damage] = log.health().damages;
    const fine =
      status.end_offset === 5 &&
      status.events === 5 &&
      before.map(numberOf).join() === "0,1" &&
      hasCode(error, "log_corrupt") &&
      error.fields["byte"] === third &&
      String(error.fields["file"]).endsWith(first) &&
      behind.join() === "3,4" &&
      damage?.from_byte === third &&
      damage.to_byte === fourth &&
      damage.from_offset === 2 &&
      damage.to_offset === 3;
    if (!fine) t.fail(`flipped at ${byte}: ${String(error)} ${JSON.stringify(damage)} ${behind.join()}`);
    if (lines.of("error").length !== 1) t.fail(`flipped at ${byte}: ${lines.of("error").length} errors logged`);
    await log.append("alerts", 0, [tickRecord(5, 1)]);
    t.same(await numbers(log, 3), [3, 4, 5]);
    await log.close();
    const offline = readSegments(damaged, "alerts", 0);
    t.ok(hasCode(await failure(collect(offline)), "log_corrupt"));
  }
});

await t.test("damage in an older segment is met by the reader that needs it, and by nobody else", async (t) => {
  const dir = await closedLog(t, 6, 1);
  flip(join(dir, "alerts", "0", "0000000003.seg"), readFileSync(join(dir, first)).length - 3);
  const log = await openLog(t, { dir });
  t.same((await log.read("alerts", 0, 1, 1 << 20)).map(numberOf), [1]);
  t.ok(hasCode(await failure(log.read("alerts", 0, 2, 1 << 20)), "log_corrupt"));
  t.same(await numbers(log, 3), [3, 4, 5]);
});

await t.test("a missing segment is a hole that reads stop before", async (t) => {
  const dir = await closedLog(t, 6, 1);
  rmSync(join(dir, "alerts", "0", "0000000003.seg"));
  const log = await openLog(t, { dir });
  t.same((await log.read("alerts", 0, 1, 1 << 20)).map(numberOf), [1]);
  t.ok(hasCode(await failure(log.read("alerts", 0, 2, 1 << 20)), "log_corrupt"));
  t.same(await numbers(log, 3), [3, 4, 5]);
});

await t.test("a damaged header costs no record where another segment tells the log_id", async (t) => {
  for (const name of ["0000000001.seg", "0000000003.seg", "0000000006.seg"]) {
    const dir = await closedLog(t, 6, 1);
    const { log_id } = await describeSegments(dir, "alerts", 0);
    flip(join(dir, "alerts", "0", name), 40);
    const log = await openLog(t, { dir, segmentBytes: 1 });
    t.same(await numbers(log), [0, 1, 2, 3, 4, 5]);
    t.equal((await log.status("alerts", 0)).log_id, log_id);
    t.equal(log.health().damages.length, 1);
    t.equal(await log.append("alerts", 0, [tickRecord(6, 1)]), 6);
    t.match(await log.status("alerts", 0), { end_offset: 7, events: 7 });
  }
  const lone = await closedLog(t, 2);
  flip(join(lone, first), 40);
  const error = await failure(openLog(t, { dir: lone }));
  t.ok(hasCode(error, "log_corrupt"), String(error));
});

await t.test("a segment whose creation was cut short is removed, at any byte of its header", async (t) => {
  const dir = await closedLog(t, 1);
  const header = framesOf(join(dir, first))[0] ?? 0;
  for (let bytes = 0; bytes < header; bytes += 9) {
    const cut = copy(t, dir);
    writeFileSync(join(cut, "alerts", "0", "0000000002.seg"), readFileSync(join(cut, first)).subarray(0, bytes));
    const log = await openLog(t, { dir: cut });
    t.equal(await log.append("alerts", 0, [tickRecord(1)]), 1);
    t.same(readdirSync(join(cut, "alerts", "0")), ["0000000001.seg"]);
    await log.close();
  }
});

await t.test("another partition count is refused, more or fewer", async (t) => {
  const dir = await closedLog(t, 1);
  for (const partitions of [1, 3, 5, 8]) {
    t.ok(hasCode(await failure(openLog(t, { dir, partitions })), "partitions_changed"), String(partitions));
  }
  t.same(await numbers(await openLog(t, { dir, partitions: 4 })), [0]);
});

await t.test("files of a newer version, of two logs, or of another partition are refused", async (t) => {
  const dir = await closedLog(t, 1);
  const foreign = await closedLog(t, 1);
  const mixed = copy(t, dir);
  cpSync(join(foreign, first), join(mixed, "alerts", "0", "0000000002.seg"));
  t.ok(hasCode(await failure(openLog(t, { dir: mixed })), "log_corrupt"));
  const swapped = copy(t, dir);
  cpSync(join(swapped, "alerts", "1"), join(swapped, "alerts", "0"), { recursive: true });
  t.ok(hasCode(await failure(openLog(t, { dir: swapped })), "log_corrupt"));
  const newer = copy(t, dir);
  const { encodeHeader } = await import("../../src/log-segment/format.ts");
  const { crc32 } = await import("node:zlib");
  const header = encodeHeader({
    log_id: "x",
    topic: "alerts",
    partition: 0,
    partitions: 4,
    segment: 1,
    base_offset: 0,
    base_events: 0,
    created_ms: 0,
    voids: null,
  });
  header.writeUInt32LE(2, 8);
  header.writeUInt32LE(crc32(header.subarray(20), crc32(header.subarray(0, 16))), 16);
  writeFileSync(join(newer, first), header);
  t.ok(hasCode(await failure(openLog(t, { dir: newer })), "data_dir_newer"));
});

await t.test(
  "a partition that was deleted beside others is born again under another log_id, and said so",
  async (t) => {
    const dir = await closedLog(t, 1);
    const before = await describeSegments(dir, "alerts", 0);
    rmSync(join(dir, "alerts", "0"), { recursive: true });
    const lines = new Lines();
    const log = await openLog(t, { dir, log: lines });
    t.not((await log.status("alerts", 0)).log_id, before.log_id);
    t.equal(lines.of("error").length, 1);
  },
);

await t.test("retention takes whole old segments below the offset, by age", async (t) => {
  const clock = new HandClock();
  const maxAgeMs = 80_000;
  const dir = directory(t);
  const retention = { maxAgeMs, maxBytes: Number.POSITIVE_INFINITY };
  const log = await openLog(t, { dir, clock, retention });
  for (let n = 0; n < 10; n += 1) {
    await log.append("alerts", 0, [tickRecord(n, 1)]);
    // An eighth of the age: each record begins a segment, since the one before has become old enough to be closed.
    clock.advance(10_000);
  }
  t.equal(readdirSync(join(dir, "alerts", "0")).length, 10);
  await log.trim("alerts", 0, 1);
  t.match(await log.status("alerts", 0), { start_offset: 1 });
  await log.trim("alerts", 0, 10);
  t.match(await log.status("alerts", 0), { start_offset: 3 }, "records of the last 80 s stay");
  clock.advance(maxAgeMs);
  await log.trim("alerts", 0, 9);
  t.match(await log.status("alerts", 0), { start_offset: 9, end_offset: 10 }, "the offset itself stays");
  await log.trim("alerts", 0, 10);
  t.match(await log.status("alerts", 0), { start_offset: 10, end_offset: 10, events: 10 });
  t.equal(readdirSync(join(dir, "alerts", "0")).length, 1);
});

await t.test(
  "retention by size takes the oldest segments of all partitions first, as far as each allows",
  async (t) => {
    const clock = new HandClock();
    const dir = directory(t);
    const retention = { maxAgeMs: Number.POSITIVE_INFINITY, maxBytes: 6000 };
    const log = await openLog(t, { dir, clock, retention, segmentBytes: 1 });
    for (let n = 0; n < 20; n += 1) {
      clock.advance(10);
      await log.append("alerts", n % 2, [tickRecord(n)]);
      await log.append("transitions", 0, [tickRecord(n)]);
    }
    t.ok(log.health().bytes > 6000, `${log.health().bytes} bytes`);
    await log.trim("transitions", 0, 0);
    t.ok(log.health().bytes > 6000, "nothing may go yet");
    await log.trim("alerts", 0, 3);
    t.match(await log.status("alerts", 0), { start_offset: 3 }, "as far as the offset");
    await log.trim("alerts", 1, 10);
    const [even, odd] = [await log.status("alerts", 0), await log.status("alerts", 1)];
    t.equal(even.start_offset, 3);
    t.equal(odd.start_offset, 9, "all but the last segment");
    t.match(await log.status("transitions", 0), { start_offset: 0 });
    await log.trim("transitions", 0, 20);
    t.ok(log.health().bytes <= 6000, `${log.health().bytes} bytes`);
    const { start_offset } = await log.status("transitions", 0);
    t.ok(start_offset > 0 && start_offset < 19, `no more than needed: ${start_offset}`);
  },
);

await t.test("closed files and copies can be read without opening the log, and stay as they are", async (t) => {
  const dir = await closedLog(t, 7, 600);
  truncateSync(join(dir, "alerts", "0", readdirSync(join(dir, "alerts", "0")).at(-1) ?? ""), 300);
  const bytes = () => readdirSync(join(dir, "alerts", "0")).map((name) => readFileSync(join(dir, "alerts", "0", name)));
  const before = bytes();
  const report = await describeSegments(dir, "alerts", 0);
  t.match(report, { partitions: 4, start_offset: 0, end_offset: 6, events: 6, damages: [] });
  t.ok(report.segments > 1);
  t.same(await collect(readSegments(dir, "alerts", 0)), [0, 1, 2, 3, 4, 5]);
  t.same(await collect(readSegments(dir, "alerts", 0, 4)), [4, 5]);
  t.same(await collect(readSegments(dir, "alerts", 1)), []);
  t.same(bytes(), before);
  t.match(await describeSegments(join(dir, "nowhere"), "alerts", 0), { log_id: null, end_offset: 0, segments: 0 });
});

await t.test("large logs are read from any offset, over many segments and past the memory of the tail", async (t) => {
  const dir = directory(t);
  const log = await openLog(t, { dir, segmentBytes: 300_000, cacheBytesMax: 50_000 });
  const count = 5000;
  for (let n = 0; n < count; n += 100) {
    await log.append(
      "alerts",
      0,
      Array.from({ length: 100 }, (_, k) => tickRecord(n + k)),
    );
  }
  t.ok(log.health().segments > 12);
  for (const offset of [4999, 0, 1234, 2999, 1233, 4998, 3]) {
    const [record] = await log.read("alerts", 0, offset, 1);
    t.equal(record === undefined ? -1 : numberOf(record), offset);
  }
  t.same(
    (await readAll(log, { ...home, maxBytes: 7000 })).map(numberOf),
    Array.from({ length: count }, (_, n) => n),
  );
});
