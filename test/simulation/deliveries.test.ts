import t from "tap";
import { Cluster } from "./cluster.ts";
import { judge } from "./oracles.ts";
import { messageOf, startMs, usualRules } from "./scenario.ts";
import { Outside } from "./senders.ts";
import { untampered } from "./tampering.ts";

const calm = { correlators: 1, routers: 1, receivers: 1, scaleOut: false, routerAlone: true, tampering: untampered };

await t.test(
  "a ticket that is created late shows that a person resolved the incident before its alert went stale",
  async (t) => {
    const cluster = new Cluster({ seed: 1, ...calm });
    const outside = new Outside(cluster);
    const { time, operations, vendor, incidents } = cluster;
    let vendorUp = false;
    operations.plan = { next: ({ name }) => (!vendorUp && name === "vendor.create" ? "fails" : null) };
    cluster.startAll();
    outside.activate({ atMs: 0, set: usualRules });
    await time.runUntil(startMs + 2_000);
    outside.send([messageOf(0, "fire", { severity: "critical", expires_ms: startMs + 12_000 })]);
    await time.runUntil(startMs + 6_000);
    outside.act({ atMs: 0, id: "resolve", action: "resolve", pick: 0 });
    await time.runUntil(startMs + 20_000);
    const [row] = incidents.deliveries.rows();
    const [incident] = incidents.incidents.values();
    t.equal(vendor.tickets.size, 0, "the vendor is down");
    t.equal(incident?.snapshot.state, "resolved");
    t.ok((incident?.snapshot.version ?? 0) > (row?.desired_version ?? 0), "the newest change is not worth an update");
    vendorUp = true;
    await time.runUntil(startMs + 70_000);
    t.same(
      [...vendor.tickets.values()].map((ticket) => ticket.resolved),
      [true],
    );
    const wrong = await judge(cluster, outside);
    t.same(
      wrong.filter((line) => line.startsWith("ticket") || line.startsWith("notes")),
      [],
    );
  },
);
