import { fork } from "node:child_process";
import { join } from "node:path";
import { pin } from "../processes.ts";
import type { LoadOrder, LoadReport } from "./worker.ts";

/** Runs the load in a process of its own, on its own core. Rejects when that process fails. */
export async function sendLoad(order: LoadOrder): Promise<LoadReport> {
  const { NODE_OPTIONS: _hooks, ...env } = process.env;
  const child = fork(join(import.meta.dirname, "worker.ts"), { env, execArgv: [] });
  if (child.pid !== undefined) pin(child.pid, "load");
  const { promise, resolve, reject } = Promise.withResolvers<LoadReport>();
  child.once("message", (report) => {
    resolve(report as LoadReport);
  });
  child.once("error", reject);
  child.once("exit", (code) => {
    if (code !== 0) reject(new Error(`the load generator ended with code ${code}`));
  });
  child.send(order);
  return promise;
}
