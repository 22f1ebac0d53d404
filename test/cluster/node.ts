/** One process of a cluster: what a supervisor of an operating system would do to it, and worse. */
import { setTimeout as pause } from "node:timers/promises";
import { type Product, type ProductOptions, type Ready, startProduct } from "../torture/product.ts";

export const services = ["receiver", "correlator", "router"] as const;
export type Service = (typeof services)[number];

export interface ClusterNode {
  readonly service: Service;
  /** The service and its number, from 1: `router-2`. */
  readonly name: string;
  /** The same over restarts. */
  readonly url: string;
  /** Its process; null while there is none. */
  pid(): number | null;
  /** How it ended where nobody asked it to, one entry each time. */
  readonly collapses: readonly string[];
  /** Milliseconds from each start until it was ready. */
  readonly readyMs: readonly number[];
  /** Starts it without waiting. */
  launch(): void;
  /** Starts it; resolves when it is ready, rejects with its output when it ends before. */
  start(): Promise<Ready>;
  /** SIGKILL, also while it is frozen; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves with its exit code when it has drained and gone. */
  stop(): Promise<number | NodeJS.Signals | null>;
  /** SIGSTOP; resolves when none of its threads runs any more. */
  freeze(): Promise<void>;
  /** SIGCONT. */
  thaw(): void;
  /** The last lines of each of its lives. */
  output(): string;
}

const linesKept = 60;

export function clusterNode(service: Service, name: string, settings: ProductOptions): ClusterNode {
  let product: Product | null = null;
  const past: string[] = [];
  const readyMs: number[] = [];
  const collapses: string[] = [];
  const launch = (): Product => {
    if (product !== null) past.push(tailOf(product.output()));
    past.splice(0, past.length - 3);
    const started = startProduct(settings);
    product = started;
    void started.ended.then((code) => {
      if (product === started) collapses.push(`${name} ended by itself with ${code}:\n${tailOf(started.output())}`);
    });
    return started;
  };
  const end = async (how: "kill" | "stop"): Promise<number | NodeJS.Signals | null> => {
    const running = product;
    if (running === null) return null;
    product = null;
    await running[how]();
    past.push(tailOf(running.output()));
    return running.ended;
  };
  return {
    service,
    name,
    url: `http://127.0.0.1:${settings.port}`,
    pid: () => product?.pid ?? null,
    collapses,
    readyMs,
    launch: () => void launch(),
    start: async () => {
      const started = launch();
      const ready = await started.ready;
      readyMs.push(Math.round(started.readyMs() ?? 0));
      return ready;
    },
    kill: async () => void (await end("kill")),
    stop: async () => end("stop"),
    freeze: async () => {
      const frozen = product;
      if (frozen === null) throw new Error(`${name} does not run`);
      frozen.signal("SIGSTOP");
      while (frozen.runningThreads() > 0) await pause(1);
    },
    thaw: () => product?.signal("SIGCONT"),
    output: () => [...past, ...(product === null ? [] : [tailOf(product.output())])].join("\n-- started again\n"),
  };
}

function tailOf(output: string): string {
  return output.split("\n").slice(-linesKept).join("\n");
}
