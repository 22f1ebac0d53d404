/** What every node of a cluster is by itself, as the outside contract says. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { testFolder } from "@winnow/testkit/folder";
import t from "tap";
import { clusterServers } from "../cluster/names.ts";
import { sharedServers, skipWithout } from "../real-servers/shared.ts";
import { openClient } from "./support/client.ts";
import { startCluster } from "./support/cluster.ts";
import type { Ready } from "./support/product.ts";
import type { Accounting, Incident, Page } from "./support/shapes.ts";
import { until } from "./support/until.ts";

// The first run downloads 200 MB.
t.setTimeout(600_000);

const found = await sharedServers(t, ["kafka", "redis", "postgres"]);
const skip = skipWithout(found, "kafka", "redis", "postgres");

await t.test("every node serves the whole API and ends in order", { skip }, async (t) => {
  const folder = testFolder(t, { "winnow.yaml": "version: 1\n" });
  const servers = clusterServers(found);
  const cluster = await startCluster(t, { servers, folder, correlators: 1, routers: 1, ownTokens: true });
  const ready = new Map(cluster.nodes.map(({ name }) => [name, readyOf(folder, name)]));

  await t.test("its ready file says where it is", async (t) => {
    for (const node of cluster.nodes) {
      const said = ready.get(node.name);
      t.match(said, { url: node.url, token: /^\S+$/, data_dir: join(folder, node.name), pid: node.pid() }, node.name);
    }
    t.equal(
      new Set([...ready.values()].map(({ token }) => token)).size,
      cluster.nodes.length,
      "each has its own token",
    );
  });

  await t.test("it tells whether it is well", async (t) => {
    for (const { name, url } of cluster.nodes) {
      for (const path of ["/healthz", "/readyz", "/metrics", "/openapi.json"]) {
        t.equal((await openClient(url, "").ask(path, { headers: { authorization: "" } })).status, 200, name + path);
      }
    }
  });

  await t.test("the token of each is good at each", async (t) => {
    for (const { token } of ready.values()) {
      for (const { name, url } of cluster.nodes) {
        t.equal((await openClient(url, token).ask("/v1/incidents")).status, 200, name);
        t.equal((await openClient(url, `${token}x`).ask("/v1/incidents")).status, 401, `${name} with another`);
      }
    }
  });

  await t.test("what one receiver took all nodes tell alike, and each can act on it", async (t) => {
    const [first] = cluster.receivers;
    const token = ready.get("receiver-1")?.token ?? "";
    const body = [{ labels: { alertname: "Slow", service: "checkout" } }];
    t.equal((await openClient(first?.url ?? "", token).ask("/v1/in/alertmanager", { body })).status, 202);
    for (const { name, url } of cluster.nodes) {
      const client = openClient(url, token);
      const incident = await until(`the incident at ${name}`, async () => {
        const { items } = await client.get<Page<Incident>>("/v1/incidents");
        return items[0] ?? null;
      });
      t.match(incident, { title: /Slow/, member_count: 1 }, name);
      const noted = await client.ask(`/v1/incidents/${incident.id}/note`, { body: { text: `seen at ${name}` } });
      t.equal(noted.status, 200, `${name} acts`);
      await until(`nothing in flight at ${name}`, async () => {
        const accounting = await client.get<Accounting>("/v1/accounting");
        return accounting.accepted === 1 && accounting.in_flight === 0;
      });
    }
  });

  await t.test("migrating again changes nothing, and SIGTERM ends each with 0", async (t) => {
    await cluster.migrate();
    await t.resolves(cluster.stop());
  });
});

function readyOf(folder: string, name: string): Ready {
  return JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8")) as Ready;
}
