import { EventEmitter } from "node:events";
import t from "tap";
import { silentLogger } from "../src/logging.ts";
import { onStopSignal, Shutdown } from "../src/shutdown.ts";

await t.test("parts are stopped one by one, the newest first", async (t) => {
  const shutdown = new Shutdown(silentLogger());
  const order: string[] = [];
  for (const name of ["store", "writer", "server"]) {
    const stop = async (): Promise<void> => {
      order.push(`${name} begins`);
      await Promise.resolve();
      order.push(`${name} ends`);
    };
    shutdown.add({ name, timeoutMs: 1_000, stop });
  }
  t.notOk(shutdown.stopping);
  t.same(await shutdown.stop(), { failed: [] });
  t.ok(shutdown.stopping);
  t.same(order, ["server begins", "server ends", "writer begins", "writer ends", "store begins", "store ends"]);
});

await t.test("a part that fails or hangs is named and does not keep the others", async (t) => {
  const shutdown = new Shutdown(silentLogger());
  let stopped = 0;
  shutdown.add({ name: "store", timeoutMs: 1_000, stop: () => void (stopped += 1) });
  shutdown.add({ name: "hangs", timeoutMs: 1, stop: () => Promise.withResolvers<undefined>().promise });
  shutdown.add({ name: "rejects", timeoutMs: 1_000, stop: () => Promise.reject(new Error("no")) });
  shutdown.add({
    name: "throws",
    timeoutMs: 1_000,
    stop: () => {
      throw new Error("no");
    },
  });
  t.same(await shutdown.stop(), { failed: ["throws", "rejects", "hangs"] });
  t.equal(stopped, 1);
});

await t.test("stopping twice is one stop", async (t) => {
  const shutdown = new Shutdown(silentLogger());
  let stops = 0;
  shutdown.add({ name: "part", timeoutMs: 1_000, stop: () => void (stops += 1) });
  await Promise.all([shutdown.stop(), shutdown.stop()]);
  await shutdown.stop();
  t.equal(stops, 1);
});

await t.test("the first signal asks, the next ones insist", async (t) => {
  const source = new EventEmitter();
  const calls: string[] = [];
  const release = onStopSignal(
    source,
    () => calls.push("first"),
    () => calls.push("again"),
  );
  source.emit("SIGTERM");
  source.emit("SIGINT");
  source.emit("SIGTERM");
  release();
  source.emit("SIGTERM");
  t.same(calls, ["first", "again", "again"]);
});
