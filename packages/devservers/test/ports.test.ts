import { once } from "node:events";
import { createServer } from "node:net";
import t from "tap";
import { freePort } from "../src/ports.ts";

await t.test("a free port can be listened on and is none that outgoing connections are given", async (t) => {
  const port = await freePort();
  t.ok(port >= 15_000 && port < 32_768, `${port}`);
  const server = createServer();
  t.teardown(() => server.close());
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
});
