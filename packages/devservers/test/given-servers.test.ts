import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import t from "tap";
import { bringServers } from "../src/bring-servers.ts";
import { freePort } from "../src/ports.ts";

const NAMES = ["WINNOW_TEST_KAFKA", "WINNOW_TEST_REDIS", "WINNOW_TEST_POSTGRES"] as const;

t.afterEach(() => {
  for (const name of NAMES) delete process.env[name];
});

const server = createServer((socket) => socket.on("error", () => {}));
server.listen(0, "127.0.0.1");
await once(server, "listening");
t.teardown(() => server.close());
const { port } = server.address() as AddressInfo;

await t.test("a server that is given is taken as it is", async (t) => {
  process.env["WINNOW_TEST_KAFKA"] = `127.0.0.1:${port}, localhost:${port}`;
  process.env["WINNOW_TEST_REDIS"] = `redis://:secret@127.0.0.1:${port}/3`;
  process.env["WINNOW_TEST_POSTGRES"] = `postgresql://u:secret@127.0.0.1:${port}/db`;
  const { kafka, redis, postgres, unavailable, stop } = await bringServers({ kinds: ["kafka", "redis", "postgres"] });
  await stop();
  t.same(kafka, { origin: "given", version: null, brokers: [`127.0.0.1:${port}`, `localhost:${port}`] });
  t.same(redis, { origin: "given", version: null, url: process.env["WINNOW_TEST_REDIS"] });
  t.same(postgres, { origin: "given", version: null, url: process.env["WINNOW_TEST_POSTGRES"] });
  t.same(unavailable, []);
});

await t.test("a given server that is not there is unavailable, and no other is taken in its place", async (t) => {
  const closed = await freePort();
  process.env["WINNOW_TEST_REDIS"] = `redis://:secret@127.0.0.1:${closed}`;
  const { redis, unavailable } = await bringServers({ kinds: ["redis"] });
  t.equal(redis, undefined);
  const reason = `WINNOW_TEST_REDIS: nothing accepts connections at 127.0.0.1:${closed}`;
  t.same(unavailable, [{ kind: "redis", reason }], "without the password");
});

await t.test("an address of another kind is refused", async (t) => {
  process.env["WINNOW_TEST_POSTGRES"] = `redis://127.0.0.1:${port}`;
  const { unavailable } = await bringServers({ kinds: ["postgres"] });
  t.match(unavailable, [{ kind: "postgres", reason: /is not an address of such a server/ }]);
});
