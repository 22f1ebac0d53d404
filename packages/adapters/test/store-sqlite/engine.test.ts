import { join } from "node:path";
import { testFolder } from "@winnow/testkit/folder";
import t, { type Test } from "tap";
import { openDatabase } from "../../src/store-sqlite/engine/database.ts";
import { WorkerClient } from "../../src/store-sqlite/engine/worker-client.ts";
import type { ProbeOptions } from "./probe.worker.ts";

function probe(t: Test, options: Partial<ProbeOptions> = {}) {
  const said: string[] = [];
  let nowMs = 0;
  const client = new WorkerClient({
    module: new URL("./probe.worker.ts", import.meta.url),
    name: "probe",
    options: { file: join(testFolder(t), "probe.db"), maxPages: 100_000, ...options },
    now: () => {
      nowMs += 1;
      return nowMs;
    },
    log: { info: () => undefined, error: (_fields, message) => said.push(message) },
  });
  t.teardown(() => client.close());
  return { client, said };
}

const unavailable = { name: "WinnowError", code: "store_unavailable", retry: "retryable" };
const unknown = { name: "WinnowError", code: "store_unknown", retry: "unknown" };

await t.test("a database syncs its log at every commit", async (t) => {
  const db = openDatabase(join(testFolder(t), "any.db"));
  t.match(db.prepare("PRAGMA journal_mode").get(), { journal_mode: "wal" });
  t.match(db.prepare("PRAGMA synchronous").get(), { synchronous: 2 });
  db.close();
});

await t.test("calls that wait together share one transaction and keep their order", async (t) => {
  const { client } = probe(t);
  t.equal(await client.open(), "ready");
  const calls = Array.from({ length: 40 }, (_, n) => client.call("add", [n, 0]));
  const listed = client.call("list", []);
  await Promise.all(calls);
  t.strictSame(
    await listed,
    calls.map((_, n) => n),
  );
  const { writes, transactions } = await client.stats();
  t.equal(writes, 40);
  t.ok(transactions <= 20, `${transactions} transactions`);
});

await t.test("a call that fails takes back its own changes alone", async (t) => {
  const { client } = probe(t);
  await client.open();
  const results = await Promise.allSettled([
    client.call("add", [1, 0]),
    client.call("addTwice", [2]),
    client.call("add", [3, 0]),
    client.call("no such thing", []),
  ]);
  t.strictSame(
    results.map((result) => result.status),
    ["fulfilled", "rejected", "fulfilled", "rejected"],
  );
  t.strictSame(await client.call("list", []), [1, 3]);
  const constraint = client.call("addTwice", [9]);
  await t.rejects(constraint, /UNIQUE constraint failed/);
  await t.rejects(constraint, { name: "Error" }, "the caller's mistake is no operational error");
});

await t.test("on a full disk only what was answered as done is stored, and the store goes on", async (t) => {
  const { client } = probe(t, { maxPages: 12 });
  await client.open();
  const results = await Promise.allSettled(
    [1, 2, 3, 4, 5, 6, 7, 8].map((n) => client.call("add", [n, n % 2 === 0 ? 100_000 : 0])),
  );
  const done = results.flatMap((result, index) => (result.status === "fulfilled" ? [index + 1] : []));
  t.strictSame(await client.call("list", []), done);
  for (const result of results) if (result.status === "rejected") t.match(result.reason, unavailable);
  t.ok(done.length < 8, "the disk was full");
  await t.resolves(client.call("add", [100, 0]));
});

await t.test("a thread that dies leaves an unknown end behind, and the next call starts another", async (t) => {
  const { client } = probe(t);
  await client.open();
  await client.call("add", [1, 0]);
  await t.rejects(client.call("crash", []), unknown);
  t.strictSame(await client.call("list", []), [1]);
  await client.call("add", [2, 0]);
  t.strictSame(await client.call("list", []), [1, 2]);
});

await t.test("a database that cannot be opened fails the opening and every later call", async (t) => {
  const { client } = probe(t, { file: join(testFolder(t), "no such folder", "x.db") });
  const [opening, behind] = [client.open(), client.call("list", [])];
  await Promise.all([t.rejects(opening, unavailable), t.rejects(behind, unavailable)]);
  await t.rejects(client.call("list", []), unavailable, "a new thread fares no better");
  const broken = probe(t, { file: "" });
  await t.rejects(broken.client.open(), /no file/);
});

await t.test("each call is judged by the caller's clock as it was when it was made", async (t) => {
  const { client } = probe(t);
  await client.open();
  t.strictSame(await Promise.all([client.call("time", []), client.call("time", [])]), [2, 3]);
});

await t.test("closing lets the calls before it end and refuses those behind it", async (t) => {
  const { client } = probe(t);
  await client.open();
  const before = client.call("add", [1, 0]);
  const closed = client.close();
  await t.rejects(client.call("list", []), unavailable);
  t.equal(await before, 1);
  await closed;
  await client.close();
});
