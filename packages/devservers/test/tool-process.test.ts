import { spawn } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import t from "tap";
import { startTool } from "../src/tool-process.ts";

/** A program that stays connected to `port` for as long as it lives, as does its own child. */
const CONNECTED = `
  const [port, child] = process.argv.slice(-2);
  require("node:net").connect(Number(port));
  if (child === "parent") {
    require("node:child_process").spawn(process.execPath, ["-e", process.execArgv[1], port, "child"], { stdio: "ignore" });
  }
`;

function options(port: number): Parameters<typeof startTool>[0] {
  return {
    command: process.execPath,
    args: ["-e", CONNECTED, String(port), "parent"],
    cwd: "/",
    env: { PATH: process.env["PATH"] ?? "" },
  };
}

/** A server on which `count` connections are awaited. */
async function listen(count: number): Promise<{ port: number; connected: Promise<Socket[]>; close: () => void }> {
  const sockets: Socket[] = [];
  const all = Promise.withResolvers<Socket[]>();
  const server = createServer((socket) => {
    socket.on("error", () => {}).resume();
    sockets.push(socket);
    if (sockets.length === count) {
      all.resolve(sockets);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, connected: all.promise, close: () => server.close() };
}

await t.test("stopping a tool ends the programs that it started, too", async (t) => {
  const { port, connected, close } = await listen(2);
  t.teardown(close);
  const tool = startTool(options(port));
  const sockets = await connected;
  const ends = sockets.map((socket) => once(socket, "close"));
  await tool.stop();
  await Promise.all(ends);
  t.pass("both connections were closed");
});

await t.test("a tool dies with a test run that is killed", async (t) => {
  const { port, connected, close } = await listen(2);
  t.teardown(close);
  const module = JSON.stringify(join(import.meta.dirname, "../src/tool-process.ts"));
  const script = `const { startTool } = await import(${module}); startTool(${JSON.stringify(options(port))});`;
  const run = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: "ignore" });
  const sockets = await connected;
  const ends = sockets.map((socket) => once(socket, "close"));
  run.kill("SIGKILL");
  await Promise.all(ends);
  t.pass("both connections were closed");
});

await t.test("a tool that ends before it is ready says what it printed", async (t) => {
  const tool = startTool({ command: "/bin/sh", args: ["-c", "echo no such file; exit 3"], cwd: "/", env: {} });
  await t.rejects(tool.line(/never printed/), { message: /ended with 3[\s\S]*no such file/ });
  await tool.stop();
});
