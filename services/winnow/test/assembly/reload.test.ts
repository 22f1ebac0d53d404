import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { createLogger } from "@winnow/platform";
import { testFolder } from "@winnow/testkit/folder";
import t, { type Test } from "tap";
import { startProcess } from "../../src/assembly/assemble.ts";
import type { RunningProcess } from "../../src/assembly/options.ts";

const head = `
version: 1
sources: { am: { type: alertmanager } }
rules:
  - { id: all, match: { source: [alertmanager] }, group_by: [service], hold: 0s }
routes:
  - { match: { priority: [P1, P2, P3, P4, P5] }, to: [DESTINATION] }
`;

interface Running extends RunningProcess {
  readonly file: string;
  readonly printed: string[];
  get(path: string): Promise<{ status: number; body: unknown }>;
  fire(service: string): Promise<void>;
}

async function start(t: Test, configuration: string): Promise<Running> {
  const cwd = testFolder(t, { "winnow.yaml": configuration });
  const file = join(cwd, "winnow.yaml");
  const printed: string[] = [];
  const running = await startProcess({
    file,
    cwd,
    env: { PASSWORD: "secret" },
    data: "data",
    listen: "127.0.0.1:0",
    version: "test",
    logger: createLogger({ level: "error" }),
    print: (line) => void printed.push(line),
  });
  t.teardown(() => running.stop());
  const headers = { authorization: `Bearer ${running.token}`, "content-type": "application/json" };
  return {
    ...running,
    file,
    printed,
    get: async (path) => {
      const reply = await fetch(`${running.url}${path}`, { headers });
      return { status: reply.status, body: await reply.json() };
    },
    fire: async (service) => {
      const alert = { labels: { alertname: "Slow", service, severity: "critical" } };
      const url = `${running.url}/compat/alertmanager/am/api/v2/alerts`;
      const reply = await fetch(url, { method: "POST", headers, body: JSON.stringify([alert]) });
      if (!reply.ok) throw new Error(`posting: ${reply.status}`);
    },
  };
}

async function until(what: string, fits: () => Promise<boolean> | boolean): Promise<void> {
  for (const end = Date.now() + 20_000; Date.now() < end; ) {
    if (await fits()) return;
    await setTimeout(10);
  }
  throw new Error(`never came: ${what}`);
}

async function vendor(t: Test, answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => server.close());
  t.teardown(() => server.closeAllConnections());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const serviceNow = (url: string, more = "") => `
destinations:
  snow:
    type: servicenow
    mode: live
    url: ${url}
    allow_networks: [127.0.0.0/8]
    auth: { basic: { username: winnow, password: { env: PASSWORD } } }
    ${more}
`;
const printing = "destinations: { out: { type: log, mode: live } }\n";

await t.test(
  "a file of certificates that is missing refuses the reload with its name, and changes nothing",
  async (t) => {
    const running = await start(t, head.replace("DESTINATION", "out") + printing);
    const other = head.replace("DESTINATION", "snow").replace("sources: { am:", "sources: { other:");
    writeFileSync(running.file, other + serviceNow("https://127.0.0.1:1", "ca: /nowhere/ca.pem"));
    const verdict = await running.reload();
    t.match(verdict, { ok: false, errors: /\/nowhere\/ca\.pem/ });
    await running.fire("checkout");
    await until("the ticket", () => running.printed.length > 0);
    t.match(running.printed[0], /checkout/);
  },
);

await t.test("what waits for a destination that was taken out is told at the reload and counted by name", async (t) => {
  const url = await vendor(t, (_request, reply) => {
    reply.writeHead(503).end();
  });
  const running = await start(t, head.replace("DESTINATION", "snow") + serviceNow(url));
  await running.fire("checkout");
  const waiting = async () => {
    const { body } = await running.get("/v1/deliveries?state=due,unknown");
    return (body as { items: unknown[] }).items.length > 0;
  };
  await until("the delivery", waiting);
  writeFileSync(running.file, head.replace("DESTINATION", "out") + printing);
  const reply = await fetch(`${running.url}/-/reload`, {
    method: "POST",
    headers: { authorization: `Bearer ${running.token}` },
  });
  t.match(await reply.json(), { ok: true, warnings: [{ message: /^1 deliveries wait for the destination snow/ }] });
  const metrics = await (await fetch(`${running.url}/metrics`)).text();
  t.match(metrics, /winnow_deliveries\{destination="snow",state="(due|unknown|inflight)"\} 1/);
  t.notMatch(metrics, /winnow_deliveries\{destination="other"/);
});

await t.test("reloads that come together are taken one after the other", async (t) => {
  const running = await start(t, head.replace("DESTINATION", "out") + printing);
  const verdicts = await Promise.all([running.reload(), running.reload(), running.reload()]);
  t.same(verdicts, [{ ok: true }, { ok: true }, { ok: true }]);
  await running.fire("checkout");
  await until("the ticket", () => running.printed.length > 0);
  t.equal(running.printed.length, 1);
});
