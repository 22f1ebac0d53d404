import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type AddressInfo, createServer, type Socket } from "node:net";
import t from "tap";
import { freezeTree, processTree } from "../src/process-tree.ts";

/** Stays connected to the port for as long as it lives, as does its child in a group of its own; echoes. */
const CONNECTED = `
  const [port, role] = process.argv.slice(-2);
  const socket = require("node:net").connect(Number(port));
  socket.on("data", (data) => socket.write(data));
  if (role === "parent") {
    const { spawn } = require("node:child_process");
    spawn(process.execPath, ["-e", process.execArgv[1], port, "child"], { stdio: "ignore", detached: true });
  }
`;

async function listen(count: number): Promise<{ port: number; sockets: Promise<Socket[]>; close: () => void }> {
  const sockets: Socket[] = [];
  const all = Promise.withResolvers<Socket[]>();
  const server = createServer((socket) => {
    socket.on("error", () => {});
    sockets.push(socket);
    if (sockets.length === count) {
      all.resolve(sockets);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, sockets: all.promise, close: () => server.close() };
}

async function stateOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8");
  return text.slice(text.lastIndexOf(")") + 2, text.lastIndexOf(")") + 3);
}

const linux = process.platform === "linux" ? false : "reads /proc";

await t.test(
  "a frozen tree stands still, with children in other groups, until it is let go",
  { skip: linux },
  async (t) => {
    const { port, sockets, close } = await listen(2);
    t.teardown(close);
    const parent = spawn(process.execPath, ["-e", CONNECTED, String(port), "parent"], { stdio: "ignore" });
    const pid = parent.pid ?? 0;
    const both = await sockets;
    t.teardown(async () => {
      for (const one of await processTree(pid)) process.kill(one, "SIGKILL");
    });
    const tree = await processTree(pid);
    t.equal(tree.length, 2);
    const letGo = await freezeTree(pid);
    t.same(await Promise.all(tree.map((one) => stateOf(one))), ["T", "T"]);
    await letGo();
    for (const socket of both) {
      socket.write("still there?");
      const [echo] = (await once(socket, "data")) as [Buffer];
      t.equal(echo.toString(), "still there?");
    }
  },
);

await t.test("a frozen tree dies with whoever froze it", { skip: linux }, async (t) => {
  const { port, sockets, close } = await listen(2);
  t.teardown(close);
  const module = JSON.stringify(new URL("../src/process-tree.ts", import.meta.url).href);
  const script = `
    const { freezeTree } = await import(${module});
    process.once("message", async (pid) => { await freezeTree(pid); process.send("frozen"); });
  `;
  const freezer = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  const parent = spawn(process.execPath, ["-e", CONNECTED, String(port), "parent"], { stdio: "ignore" });
  const both = await sockets;
  freezer.send(parent.pid ?? 0);
  await once(freezer, "message");
  const ends = both.map((socket) => once(socket.resume(), "close"));
  freezer.kill("SIGKILL");
  await Promise.all(ends);
  t.pass("both connections were closed");
});
