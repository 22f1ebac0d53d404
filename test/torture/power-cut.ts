/** Takes the power away under load: the product comes back on what its disk held at that moment. */
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { openApi } from "./api.ts";
import { checkLog, judge, type Verdict } from "./check.ts";
import { writeConfiguration } from "./configuration.ts";
import { openHistory, readHistory } from "./history.ts";
import { startLoad } from "./load.ts";
import { searchLog } from "./log-search.ts";
import { copyAtOneMoment, makeImage } from "./loop-image.ts";
import { freePort } from "./product.ts";
import { type Random, seededRandom } from "./random.ts";
import { type Replayed, verifyReplay } from "./replay.ts";
import type { Scratch } from "./scratch.ts";
import { settle } from "./settle.ts";
import { storyTeller } from "./stories.ts";
import { Supervisor } from "./supervisor.ts";
import { startTicketSystem } from "./ticket-system.ts";

export interface PowerCutOptions {
  readonly seed: number;
  readonly cuts: number;
  /** false: without fsync, to see that the cuts would find it. It ends with the first loss. */
  readonly fsync: boolean;
  readonly everyMs: number;
  readonly scratch: Scratch;
}

export interface PowerCutReport {
  readonly cuts: number;
  readonly acknowledged: number;
  readonly readyMs: readonly number[];
  /** What the disk did not hold after a cut although it was acknowledged. */
  readonly lost: readonly string[];
  /** null where it ended with a loss. */
  readonly verdict: Verdict | null;
  readonly replayed: Replayed | null;
}

const lifeMsMin = 150;
const lifeMsMax = 900;
const settleMs = 60_000;
/** Cuts of the first start, and how many of the others are followed by one more while it starts again. */
const birthCuts = 3;
const startingShare = 0.2;

export async function runPowerCuts(options: PowerCutOptions): Promise<PowerCutReport> {
  const { scratch, cuts } = options;
  const random = seededRandom(options.seed);
  const disk = new Disk(scratch);
  const tickets = await startTicketSystem({ ledgerFile: join(scratch.path, "ledger.jsonl"), cacheDir: scratch.path });
  scratch.defer(() => tickets.stop());
  const config = join(scratch.path, "winnow.yaml");
  writeConfiguration(config, { snowUrl: tickets.url, freeSpace: "4MiB" });
  const settings = {
    config,
    dataDir: disk.dataDir,
    readyFile: join(scratch.path, "ready.json"),
    port: await freePort(),
    cacheDir: scratch.path,
    fsync: options.fsync,
  };
  const supervisor = new Supervisor(settings, scratch);
  await supervisor.warmUp();
  // Its first start ever may be cut short, too.
  rmSync(disk.dataDir, { recursive: true });
  for (let birth = 0; birth < birthCuts; birth += 1) await cutWhileStarting(supervisor, disk, random);
  const { url, token } = await supervisor.start();
  const history = openHistory(join(scratch.path, "history.jsonl"));
  const load = startLoad({
    url: () => url,
    token: () => token,
    history,
    random: random.fork("load"),
    tell: storyTeller(random.fork("stories"), Date.now()),
    everyMs: options.everyMs,
  });
  scratch.defer(() => load.abandon());
  const { readyMs } = supervisor;
  for (let cut = 1; cut <= cuts; cut += 1) {
    await pause(random.between(lifeMsMin, lifeMsMax));
    await disk.cut(supervisor);
    const attempts = readHistory(history.file);
    const lost = checkLog(attempts, await searchLog(disk.dataDir)).filter((problem) => problem.startsWith("lost"));
    if (lost.length > 0) {
      load.abandon();
      return {
        cuts: supervisor.kills,
        acknowledged: history.count("acked"),
        readyMs,
        lost,
        verdict: null,
        replayed: null,
      };
    }
    if (random.chance(startingShare)) await cutWhileStarting(supervisor, disk, random);
    await supervisor.start();
  }
  await load.stop();
  const api = openApi(url, token);
  await settle(api, settleMs);
  await supervisor.stop();
  const log = await searchLog(disk.dataDir);
  await supervisor.start();
  const verdict = await judge({ history: readHistory(history.file), log, api, ledger: tickets.ledger() });
  await supervisor.stop();
  const replayed = await verifyReplay(disk.dataDir, scratch.path);
  return { cuts: supervisor.kills, acknowledged: history.count("acked"), readyMs, lost: [], verdict, replayed };
}

async function cutWhileStarting(supervisor: Supervisor, disk: Disk, random: Random): Promise<void> {
  supervisor.launch();
  await pause(random.next() * supervisor.medianReadyMs());
  await disk.cut(supervisor);
}

/** The disk of the product's machine: an image, mounted. */
class Disk {
  readonly dataDir: string;
  readonly #scratch: Scratch;
  readonly #image: string;
  #mounted: string;

  constructor(scratch: Scratch) {
    this.#scratch = scratch;
    this.#image = join(scratch.path, "disk.img");
    makeImage(this.#image);
    this.#mounted = this.#mount();
    this.dataDir = join(this.#mounted, "data");
  }

  /** What it holds now is all that is left; the journal is replayed as after any power cut. */
  async cut(supervisor: Supervisor): Promise<void> {
    const copy = `${this.#image}.copy`;
    await supervisor.freeze();
    await copyAtOneMoment(this.#image, copy);
    await supervisor.kill();
    this.#scratch.unmount(this.#mounted);
    renameSync(copy, this.#image);
    this.#mounted = this.#mount();
    if (!existsSync(join(this.#mounted, "lost+found"))) throw new Error("the copy of the disk is no file system");
  }

  #mount(): string {
    return this.#scratch.mount("disk", ["-o", "loop", this.#image]);
  }
}
