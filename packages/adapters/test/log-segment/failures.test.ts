import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { hasCode } from "@winnow/platform";
import type { EventLog } from "@winnow/ports";
import { numberOf, readAll, tickRecord } from "@winnow/testkit";
import t, { type Test } from "tap";
import { readSegments, type SegmentFiles } from "../../src/log-segment/index.ts";
import { directory, failure, HandClock, Lines, openLog, systemError, WatchedFiles } from "./support.ts";

const home = { topic: "alerts", partition: 0 } as const;

async function numbers(log: EventLog): Promise<number[]> {
  return (await readAll(log, home)).map(numberOf);
}

function appendAll(log: EventLog, all: readonly number[]): Promise<unknown[]> {
  return Promise.all(all.map((number) => failure(log.append("alerts", 0, [tickRecord(number)]))));
}

/** Makes the next calls fail, as many as `times`. */
function failNext(watched: WatchedFiles, call: keyof SegmentFiles, errno: string, times = 1): void {
  let left = times;
  watched.before = (called) => {
    if (called !== call || left === 0) return undefined;
    left -= 1;
    return systemError(errno);
  };
}

/** What a second process would find now, crash included. */
async function copyOf(t: Test, dir: string): Promise<EventLog> {
  const copy = join(directory(t), "copy");
  cpSync(dir, copy, { recursive: true });
  return await openLog(t, { dir: copy });
}

await t.test("after a failed sync nothing of the group is acknowledged, served, or back after a crash", async (t) => {
  const dir = directory(t);
  const watched = new WatchedFiles();
  const lines = new Lines();
  const log = await openLog(t, { dir, fs: watched.files, log: lines });
  await appendAll(log, [0, 1]);
  failNext(watched, "sync", "EIO");
  const errors = await appendAll(log, [100, 101, 102]);
  t.ok(errors.every((error) => hasCode(error, "log_write_failed")));
  t.match(await log.status("alerts", 0), { end_offset: 2 });
  t.match(log.health(), { writable: false, reason: "write_failed", write_failures: 1 });
  t.equal(lines.of("error").length, 1);
  t.same(await numbers(await copyOf(t, dir)), [0, 1]);
  t.equal(readdirSync(join(dir, "alerts", "0")).length, 2, "a new segment was started before the refusal");

  // A group of the same record sizes, but shorter: what stood behind it must not show.
  t.same(await appendAll(log, [2]), [undefined]);
  t.same(log.health().reason, null);
  t.same(await numbers(log), [0, 1, 2]);
  t.same(await numbers(await copyOf(t, dir)), [0, 1, 2]);
});

await t.test(
  "a failed sync is not acknowledged while no segment can be started, and the log mends itself",
  async (t) => {
    const dir = directory(t);
    const watched = new WatchedFiles();
    const log = await openLog(t, { dir, fs: watched.files });
    await appendAll(log, [0]);
    failNext(watched, "sync", "EIO", 4);
    for (const number of [100, 101, 102]) {
      t.ok(hasCode((await appendAll(log, [number]))[0], "log_write_failed"));
      t.same(await numbers(log), [0]);
      await setImmediate();
    }
    watched.before = () => undefined;
    t.same(await appendAll(log, [1, 2]), [undefined, undefined]);
    t.same(await numbers(log), [0, 1, 2]);
    t.same(await numbers(await copyOf(t, dir)), [0, 1, 2]);
  },
);

await t.test("a write that ends early is cut off, and the next one stands in its place", async (t) => {
  const dir = directory(t);
  const watched = new WatchedFiles();
  const log = await openLog(t, { dir, fs: watched.files });
  await appendAll(log, [0]);
  const { write } = watched.files;
  let full = true;
  Object.assign(watched.files, {
    async write(file: number, bytes: Buffer, at: number) {
      await write(file, bytes, at);
      if (full) throw systemError("ENOSPC");
    },
  });
  const errors = await appendAll(log, [100, 101, 102]);
  t.ok(errors.every((error) => hasCode(error, "log_full")));
  t.same(await numbers(await copyOf(t, dir)), [0]);
  full = false;
  t.same(await appendAll(log, [1]), [undefined]);
  t.same(await numbers(await copyOf(t, dir)), [0, 1]);
});

await t.test("appends behind a failed one fail too, until its caller has run", async (t) => {
  const watched = new WatchedFiles();
  const log = await openLog(t, { dir: directory(t), fs: watched.files });
  failNext(watched, "sync", "EIO");
  const order: string[] = [];
  const say = (name: string) => (error: unknown) => order.push(`${name} ${hasCode(error, "log_write_failed")}`);
  const first = failure(log.append("alerts", 0, [tickRecord(0)])).then(async (error) => {
    say("first")(error);
    // Several turns of promises later, as a caller behind other promises would run.
    for (let n = 0; n < 20; n += 1) await Promise.resolve();
    say("called after the failure")(await failure(log.append("alerts", 0, [tickRecord(2)])));
  });
  let queued: Promise<unknown> = Promise.resolve();
  watched.before = (call) => {
    if (call !== "sync") return undefined;
    watched.before = () => undefined;
    queued = failure(log.append("alerts", 0, [tickRecord(1)])).then(say("called during the sync"));
    return systemError("EIO");
  };
  await first;
  await queued;
  t.same(order, ["first true", "called during the sync true", "called after the failure true"]);
  await setImmediate();
  await appendAll(log, [3]);
  t.same(await numbers(log), [3]);
});

await t.test("an append is neither acknowledged nor read before its sync has ended", async (t) => {
  const watched = new WatchedFiles();
  const log = await openLog(t, { dir: directory(t), fs: watched.files });
  const gate = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  watched.before = (call) => {
    if (call !== "sync") return undefined;
    reached.resolve();
    return gate.promise;
  };
  let acknowledged = false;
  const append = log.append("alerts", 0, [tickRecord(0, 5)]).then(() => {
    acknowledged = true;
  });
  const waiting = log.wait("alerts", 0, 0, new AbortController().signal);
  await reached.promise;
  t.notOk(acknowledged);
  t.match(await log.status("alerts", 0), { end_offset: 0, events: 0 });
  t.same(await log.read("alerts", 0, 0, 1000), []);
  t.ok(hasCode(await failure(log.read("alerts", 0, 1, 1000)), "log_offset_beyond_end"));
  gate.resolve();
  await append;
  t.equal(await waiting, true);
  t.match(await log.status("alerts", 0), { end_offset: 1, events: 5 });
});

await t.test("a thousand appends at once take few syncs, and a group is one write", async (t) => {
  const watched = new WatchedFiles();
  const log = await openLog(t, { dir: directory(t), fs: watched.files });
  const before = { ...watched.counts };
  await appendAll(
    log,
    Array.from({ length: 1000 }, (_, n) => n),
  );
  const syncs = (watched.counts.sync ?? 0) - (before.sync ?? 0);
  t.ok(syncs <= 5, `${syncs} syncs`);
  t.equal((watched.counts.write ?? 0) - (before.write ?? 0), syncs);
  t.match(log.health(), { records: 1000, groups: syncs });
});

await t.test("without fsync nothing is synced", async (t) => {
  const watched = new WatchedFiles();
  const log = await openLog(t, { dir: directory(t), fs: watched.files, fsync: false });
  await appendAll(log, [0]);
  t.equal(watched.counts.sync, undefined);
  t.equal(watched.counts.syncDirectory, undefined);
});

await t.test("a full disk is log_full, and the log goes on once there is room", { skip: noMount() }, async (t) => {
  const dir = smallDisk(t, "2m");
  const log = await openLog(t, { dir, partitions: 1 });
  const ballast = join(dir, "ballast");
  writeFileSync(ballast, Buffer.alloc(900 * 1024));
  const wide = (number: number) => ({
    value: { kind: "tick", at_ms: number, ready_since_ms: 0, delivered_ms: { ["x".repeat(30_000)]: 0 } } as const,
    events: 1,
  });
  let accepted = 0;
  let error: unknown;
  while (error === undefined && accepted < 1000) {
    error = await failure(log.append("alerts", 0, [wide(accepted)]));
    if (error === undefined) accepted += 1;
  }
  t.ok(hasCode(error, "log_full"), `after ${accepted} records`);
  t.match(await log.status("alerts", 0), { end_offset: accepted, events: accepted });
  rmSync(ballast);
  await setImmediate();
  t.equal(await log.append("alerts", 0, [wide(accepted)]), accepted);
  await log.close();
  const again = await openLog(t, { dir, partitions: 1 });
  t.same(
    await numbers(again),
    Array.from({ length: accepted + 1 }, (_, n) => n),
  );
});

await t.test("below the free-space floor alerts are refused first, then all, and it clears by itself", async (t) => {
  const clock = new HandClock();
  const lines = new Lines();
  const watched = new WatchedFiles();
  let free = 1000;
  const asked: (() => void)[] = [];
  Object.assign(watched.files, {
    freeBytes: async () => {
      asked.shift()?.();
      return free;
    },
  });
  const nextAsked = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    asked.push(resolve);
    return promise;
  };
  const dir = directory(t);
  const log = await openLog(t, { dir, fs: watched.files, clock, log: lines, freeSpaceFloorBytes: 1000 });
  t.same(await appendAll(log, [0]), [undefined]);

  free = 999;
  t.same(await appendAll(log, [1]), [undefined], "asked at most once a second");
  clock.advance(1000);
  const looked = nextAsked();
  t.same(await appendAll(log, [2]), [undefined], "the append that asks does not wait for the answer");
  await looked;
  t.ok(hasCode((await appendAll(log, [3]))[0], "log_full"));
  t.match(log.health(), { writable: false, reason: "free_space", free_bytes: 999, refused: { free_space: 1 } });
  t.equal(await log.append("transitions", 0, [tickRecord(0)]), 0, "what the stages write goes on");

  free = 499;
  let watching = nextAsked();
  clock.advance(1000);
  await watching;
  await setImmediate();
  t.ok(hasCode(await failure(log.append("transitions", 0, [tickRecord(1)])), "log_full"));

  free = 1000;
  watching = nextAsked();
  await setImmediate();
  clock.advance(1000);
  await watching;
  await setImmediate();
  t.same(await appendAll(log, [4]), [undefined]);
  t.same(
    lines.all.filter((line) => line.message.includes("free space")).map((line) => line.level),
    ["error", "info"],
  );
});

await t.test("limits refuse with a reason and are counted", async (t) => {
  const watched = new WatchedFiles();
  const log = await openLog(t, { dir: directory(t), fs: watched.files, recordBytesMax: 100, pendingBytesMax: 150 });
  const size = JSON.stringify(tickRecord(0).value).length;
  const padded = (bytes: number) => ({
    value: { kind: "tick", at_ms: 0, ready_since_ms: 0, delivered_ms: { ["x".repeat(bytes - size - 4)]: 0 } } as const,
    events: 0,
  });
  t.equal(await log.append("alerts", 0, [padded(100)]), 0);
  t.ok(hasCode(await failure(log.append("alerts", 0, [tickRecord(1), padded(101)])), "log_record_too_large"));
  const [first, second, third] = await Promise.all([
    failure(log.append("alerts", 0, [padded(100)])),
    failure(log.append("alerts", 0, [padded(100)])),
    failure(log.append("alerts", 0, [padded(75), padded(75), padded(75)])),
  ]);
  t.equal(first, undefined);
  t.ok(hasCode(second, "log_full"));
  t.ok(hasCode(third, "log_full"));
  t.equal(await log.append("alerts", 0, [padded(75), padded(75), padded(75)]), 2, "an empty queue takes any append");
  t.match(log.health().refused, { too_large: 1, queue_full: 2 });
});

await t.test("a removal that fails is tried again and never removes out of turn", async (t) => {
  const dir = directory(t);
  const watched = new WatchedFiles();
  const retention = { maxAgeMs: 0, maxBytes: 0 };
  const log = await openLog(t, { dir, fs: watched.files, retention });
  for (const number of [0, 1, 2]) await appendAll(log, [number]);
  failNext(watched, "unlink", "EIO");
  t.ok(hasCode(await failure(log.trim("alerts", 0, 2)), "log_write_failed"));
  t.match(await log.status("alerts", 0), { start_offset: 0, end_offset: 3 });
  t.same(await numbers(log), [0, 1, 2]);
  await log.trim("alerts", 0, 2);
  t.same(await numbers(log), [2]);
  await log.close();
  const left: number[] = [];
  for await (const record of readSegments(dir, "alerts", 0)) left.push(numberOf(record));
  t.same(left, [2]);
});

/** Mounts a file system of so many bytes on a directory of the test. */
function smallDisk(t: Test, size: string): string {
  const dir = join(directory(t), "small");
  mkdirSync(dir);
  mount(dir, size);
  t.teardown(() => run("umount", ["-l", dir]));
  return dir;
}

function mount(dir: string, size: string): void {
  run("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", dir]);
}

function run(command: string, args: readonly string[]): void {
  execFileSync(command, args, { stdio: "pipe" });
}

/** Why mounting is not allowed here, false where it is. */
function noMount(): string | false {
  const dir = mkdtempSync(join(tmpdir(), "winnow-mount-"));
  try {
    mount(dir, "1m");
    run("umount", ["-l", dir]);
    return false;
  } catch (error) {
    return `NOT TESTED, a small file system cannot be mounted here: ${String(error)}`;
  } finally {
    rmSync(dir, { recursive: true });
  }
}
