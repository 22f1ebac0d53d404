/** A product whose disk fills up or fails under load, and gets well again. */
import { closeSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type Api, openApi } from "./api.ts";
import { judge, type Verdict } from "./check.ts";
import { writeConfiguration } from "./configuration.ts";
import { type Attempt, type History, openHistory, readHistory } from "./history.ts";
import { type Load, startLoad } from "./load.ts";
import { searchLog } from "./log-search.ts";
import { freePort } from "./product.ts";
import { seededRandom } from "./random.ts";
import { type Replayed, verifyReplay } from "./replay.ts";
import type { Scratch } from "./scratch.ts";
import { settle } from "./settle.ts";
import { storyTeller } from "./stories.ts";
import { Supervisor } from "./supervisor.ts";
import { startTicketSystem, type TicketSystem } from "./ticket-system.ts";

const mib = 1_024 * 1_024;
/** Free space below which the product is told to refuse alerts. */
export const floorBytes = 8 * mib;
const everyMs = 60;
const settleMs = 60_000;

export interface Patient {
  readonly pid: number;
  readonly api: Api;
  readonly url: string;
  readonly history: History;
  readonly dataDir: string;
  /** Every attempt so far. */
  attempts(): readonly Attempt[];
  /** Ends the load and says what is left. The product has never been started again until then. */
  conclude(): Promise<{ readonly verdict: Verdict; readonly replayed: Replayed }>;
}

/** Starts a product under load with its data below `disk`. */
export async function admitPatient(scratch: Scratch, disk: string, seed: number): Promise<Patient> {
  const random = seededRandom(seed);
  const tickets = await startTicketSystem({ ledgerFile: join(scratch.path, "ledger.jsonl"), cacheDir: scratch.path });
  scratch.defer(() => tickets.stop());
  const config = join(scratch.path, "winnow.yaml");
  writeConfiguration(config, { snowUrl: tickets.url, freeSpace: `${floorBytes / mib}MiB` });
  const dataDir = join(disk, "data");
  const readyFile = join(scratch.path, "ready.json");
  const port = await freePort();
  const supervisor = new Supervisor({ config, dataDir, readyFile, port, cacheDir: scratch.path }, scratch);
  const { url, token, pid } = await supervisor.start();
  const history = openHistory(join(scratch.path, "history.jsonl"));
  const load = startLoad({
    url: () => url,
    token: () => token,
    history,
    random: random.fork("load"),
    tell: storyTeller(random.fork("stories"), Date.now()),
    everyMs,
  });
  scratch.defer(() => load.abandon());
  const api = openApi(url, token);
  return {
    pid,
    api,
    url,
    history,
    dataDir,
    attempts: () => readHistory(history.file),
    conclude: () => conclude({ load, api, supervisor, history, tickets, dataDir, cacheDir: scratch.path }),
  };
}

interface Stay {
  readonly load: Load;
  readonly api: Api;
  readonly supervisor: Supervisor;
  readonly history: History;
  readonly tickets: TicketSystem;
  readonly dataDir: string;
  readonly cacheDir: string;
}

async function conclude(stay: Stay): Promise<{ verdict: Verdict; replayed: Replayed }> {
  const { load, api, supervisor, history, tickets, dataDir, cacheDir } = stay;
  await load.stop();
  await settle(api, settleMs);
  await supervisor.stop();
  const log = await searchLog(dataDir);
  await supervisor.start();
  const verdict = await judge({ history: readHistory(history.file), log, api, ledger: tickets.ledger() });
  await supervisor.stop();
  return { verdict, replayed: await verifyReplay(dataDir, cacheDir) };
}

/** Takes space on a file system until so much is left; 0 for until nothing more can be written. */
export function fillDisk(ballast: string, leaveBytes: number): void {
  const file = openSync(ballast, "w");
  try {
    const { bavail, bsize } = statfsSync(ballast);
    let left = leaveBytes === 0 ? Number.POSITIVE_INFINITY : bavail * bsize - leaveBytes;
    const chunk = Buffer.alloc(64 * 1_024, 1);
    while (left > 0) left -= writeSync(file, chunk, 0, Math.min(left, chunk.length));
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
  } finally {
    closeSync(file);
  }
}

export function freeDisk(ballast: string): void {
  rmSync(ballast, { force: true });
}
