import { WindowTables } from "@winnow/testkit";
import t from "tap";
import { Cluster } from "./cluster.ts";
import { judge } from "./oracles.ts";
import { messageOf, partitions, sha256, startMs } from "./scenario.ts";
import { Outside } from "./senders.ts";
import { untampered } from "./tampering.ts";

const calm = { correlators: 1, routers: 1, receivers: 1, scaleOut: false, routerAlone: true, tampering: untampered };

/** Alert whose timers cannot be decided. */
const poisonousTimer = 9;

await t.test("a timer that cannot be decided is buried once, whatever becomes of the process", async (t) => {
  const cluster = new Cluster({ seed: 1, ...calm });
  const outside = new Outside(cluster);
  const { time, incidents } = cluster;
  cluster.startAll();
  await time.runUntil(startMs + 500);
  outside.send([messageOf(poisonousTimer, "fire", { expires_ms: startMs + 3_000 })]);
  await time.runUntil(startMs + 6_000);
  t.equal(incidents.deadLetters.size, 1);
  for (const crash of [10_000, 20_000]) {
    const process = cluster.rolesOf("correlator")[0]?.process;
    if (process === undefined || process === null) throw new Error("the correlator runs");
    cluster.crash(process);
    await time.runUntil(startMs + crash);
  }
  t.equal(incidents.deadLetters.size, 1, "it does not fire again after the next claim");
  t.same(await judge(cluster, outside), []);
});

await t.test(
  "an idle owner gives its partition up when another has claimed it, and asks for it again later",
  async (t) => {
    const tokens: string[] = [];
    class WatchedTables extends WindowTables {
      override claim(...[at, token]: Parameters<WindowTables["claim"]>): ReturnType<WindowTables["claim"]> {
        if (at.stage === "B" && at.partition === 0) tokens.push(`${cluster.time.now - startMs} ${token}`);
        return super.claim(at, token);
      }
    }
    const cluster = new Cluster({ seed: 1, ...calm, windows: new WatchedTables() });
    const { time, windows } = cluster;
    cluster.startAll();
    await time.runUntil(startMs + 3_000);
    t.equal(tokens.length, 1);
    windows.claim({ stage: "B", partition: 0 }, "another owner");
    const stolen = tokens.length;
    await time.runUntil(startMs + 12_000);
    t.equal(tokens.length, stolen + 1, "once");
    const [asked = 0] = (tokens.at(-1) ?? "").split(" ").map(Number);
    // It looks every 6 s here, and waits 1 s before it joins again.
    t.ok(asked >= 7_000 && asked < 8_000, `${asked} ms`);
  },
);

await t.test("many deadlines close to each other share their ticks", async (t) => {
  const cluster = new Cluster({ seed: 1, ...calm });
  const outside = new Outside(cluster);
  const { time, disk } = cluster;
  cluster.startAll();
  await time.runUntil(startMs + 500);
  const ticks = (): number =>
    disk
      .files("alerts")
      .flatMap((file) => file.read(0, Number.MAX_SAFE_INTEGER))
      .filter(({ value }) => value.kind === "tick").length;
  const before = ticks();
  const items = Array.from({ length: 400 }, (_, n) => ({
    ...messageOf(0, "fire", { expires_ms: startMs + 5_000 + n }),
    fingerprint: sha256(`close ${n}`).slice(0, 32),
  }));
  outside.send(items);
  await time.runUntil(startMs + 9_000);
  const taken = ticks() - before;
  t.ok(taken >= partitions && taken <= 12 * partitions, `${taken} ticks`);
  t.same(await judge(cluster, outside), []);
});
