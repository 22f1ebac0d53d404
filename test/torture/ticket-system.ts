/** The fake ServiceNow in a process of its own, with its ledger on disk: no fault of the product reaches it. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { startTool } from "@winnow/devservers";
import { productEnvironment } from "./product.ts";
import type { Random } from "./random.ts";

const launcher = join(dirname(fileURLToPath(import.meta.url)), "../../services/winnow/bin/winnow.mjs");

/** Vendor faults that a run plays; `late_commit` and `slow` end well within the destination's kill time. */
export const vendorFaults = ["drop_reply", "late_commit", "rate_limit", "server_error", "slow"] as const;
export type VendorFault = (typeof vendorFaults)[number];
const delayMsDefault = { min: 200, max: 2_000 } as const;
const losesReplies: readonly VendorFault[] = ["drop_reply", "late_commit"];
/** A create whose end nobody knows is the dangerous one; among all requests it would be rarely met. */
const onCreateShare = 0.6;

export interface LedgerRow {
  readonly seq: number;
  readonly op: string;
  readonly by: string;
  readonly sys_id: string;
  readonly correlation_id: string;
  readonly state?: string;
  readonly text?: string;
}

export interface TicketSystem {
  readonly url: string;
  /** Faults for the requests to come, drawn from `random`. */
  misbehave(random: Random): Promise<void>;
  /** No more faults; resolves with how many requests each kind has struck in the whole run. */
  behave(): Promise<Readonly<Record<VendorFault, number>>>;
  /** What it has committed, as its file says. */
  ledger(): readonly LedgerRow[];
  stop(): Promise<void>;
}

export async function startTicketSystem(at: {
  readonly ledgerFile: string;
  readonly cacheDir: string;
  /** How late it commits or answers; its end is well within the destination's kill time. */
  readonly delayMs?: { readonly min: number; readonly max: number };
}): Promise<TicketSystem> {
  const { min, max } = at.delayMs ?? delayMsDefault;
  const tool = startTool({
    command: process.execPath,
    args: [launcher, "fake", "servicenow", "--listen", "127.0.0.1:0", "--ledger", at.ledgerFile],
    cwd: at.cacheDir,
    env: productEnvironment(at.cacheDir),
  });
  const [url] = await tool.line(/^http:\/\/127\.0\.0\.1:\d+$/);
  const given = new Map<VendorFault, number>();
  return {
    url,
    misbehave: async (random) => {
      const kind = random.pick(vendorFaults);
      const count = kind === "rate_limit" ? 1 : random.between(1, 2);
      given.set(kind, (given.get(kind) ?? 0) + count);
      const on = losesReplies.includes(kind) && random.chance(onCreateShare) ? { on: "create" } : {};
      await control(url, "POST", { kind, count, delay_ms: random.between(min, max), ...on });
    },
    behave: async () => {
      const waiting = (await control(url, "GET")) as readonly { kind: VendorFault; count: number }[];
      await control(url, "DELETE");
      for (const { kind, count } of waiting) given.set(kind, (given.get(kind) ?? 0) - count);
      return Object.fromEntries(vendorFaults.map((kind) => [kind, given.get(kind) ?? 0])) as Record<
        VendorFault,
        number
      >;
    },
    ledger: () =>
      readFileSync(at.ledgerFile, "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as LedgerRow),
    stop: () => tool.stop(),
  };
}

async function control(url: string, method: string, body?: object): Promise<unknown> {
  const response = await fetch(`${url}/__faults`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return response.json();
}
