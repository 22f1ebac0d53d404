import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openPostgresIncidentStore } from "@winnow/adapters/store-postgres";
import { ownServers, skipWithout } from "@winnow/test/real-servers/shared.ts";
import { incidentSamples } from "@winnow/testkit";
import { Client } from "pg";
import t from "tap";
import { silentLog } from "./support.ts";

const { batch, incidentRow, metaAt } = incidentSamples;
const unavailable = {
  name: "WinnowError",
  code: "store_unavailable",
  message: /standby/,
};

t.setTimeout(120_000);
const servers = await ownServers(t, ["postgres"]);
const { url = "", controls, origin } = servers.postgres ?? {};
const skip = skipWithout(servers, "postgres") || (origin === "native" ? false : "the server's files are out of reach");

async function dataDirectory(): Promise<string> {
  const client = new Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ data_directory: string }>("SHOW data_directory");
  await client.end();
  return rows[0]?.data_directory ?? "";
}

await t.test(
  "a standby under the primary's name is no server to write to: waited for, and its connections are not kept",
  { skip },
  async (t) => {
    const signal = join(await dataDirectory(), "standby.signal");
    const store = await openPostgresIncidentStore({ url, partitions: 4, log: silentLog });
    t.teardown(() => store.close());
    await store.claim(0, "one");
    const commit = () =>
      store.commit(0, "one", 0, { meta: metaAt(1), batch: batch({ incidents: [incidentRow("i")] }) });

    await writeFile(signal, "");
    await controls?.restart();
    await t.rejects(commit(), unavailable, "else its stage would stop for a person");
    await t.rejects(store.setFact("a", "b"), unavailable);
    await t.rejects(store.verify(0, "one", 0), unavailable, "it may be behind: nothing is decided by what it says");
    await t.rejects(openPostgresIncidentStore({ url, partitions: 4, log: silentLog }), unavailable);

    await rm(signal);
    await controls?.restart();
    t.strictSame(await commit(), { committed: true });
  },
);
