/** Kills the product under load, again and again, and judges what is left. */
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { openApi } from "./api.ts";
import { judge, type Verdict } from "./check.ts";
import { writeConfiguration } from "./configuration.ts";
import { type Attempt, openHistory, readHistory } from "./history.ts";
import { startLoad } from "./load.ts";
import { searchLog } from "./log-search.ts";
import { startMischief } from "./mischief.ts";
import { freePort, type ProductOptions } from "./product.ts";
import { type Random, seededRandom } from "./random.ts";
import { type Replayed, verifyReplay } from "./replay.ts";
import type { Scratch } from "./scratch.ts";
import { settle } from "./settle.ts";
import { storyTeller } from "./stories.ts";
import { Supervisor } from "./supervisor.ts";
import { startTicketSystem, type TicketSystem, type VendorFault } from "./ticket-system.ts";

export interface KillNineOptions {
  readonly seed: number;
  /** Goes on until both are reached. */
  readonly killsMin: number;
  readonly durationMs: number;
  /** Mean time between two bodies of one sender. */
  readonly everyMs: number;
  readonly scratch: Scratch;
  readonly say: (line: string) => void;
}

export interface KillNineReport {
  readonly kills: number;
  readonly killsWhileStarting: number;
  /** Milliseconds from start to ready, ascending. */
  readonly readyMs: readonly number[];
  readonly attempts: Readonly<Record<Attempt["outcome"], number>>;
  readonly acknowledgedEvents: number;
  readonly vendorFaults: Readonly<Record<VendorFault, number>>;
  readonly verdict: Verdict;
  readonly replayed: Replayed;
}

const lifeMsMin = 100;
const lifeMsMax = 1_300;
const startingShare = 0.12;
/** A delivery that failed again and again waits up to 300 s for its next attempt. */
const settleMs = 330_000;

export async function runKillNine(options: KillNineOptions): Promise<KillNineReport> {
  const { seed, scratch, say } = options;
  const random = seededRandom(seed);
  const tickets = await startTicketSystem({ ledgerFile: join(scratch.path, "ledger.jsonl"), cacheDir: scratch.path });
  scratch.defer(() => tickets.stop());
  const config = join(scratch.path, "winnow.yaml");
  writeConfiguration(config, { snowUrl: tickets.url });
  const settings: ProductOptions = {
    config,
    dataDir: join(scratch.path, "data"),
    readyFile: join(scratch.path, "ready.json"),
    port: await freePort(),
    cacheDir: scratch.path,
  };
  const supervisor = new Supervisor(settings, scratch);
  await supervisor.warmUp();
  const { token, url } = await supervisor.start();
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
  const mischief = startMischief(tickets, random.fork("vendor"));
  await killUntil(options, supervisor, random.fork("kills"));
  say(`${supervisor.kills} kills; the load ends`);
  // Senders that go on until they are heard need somebody to hear them.
  await supervisor.start();
  await load.stop();
  const vendorFaults = await mischief.stop();
  await settle(openApi(url, token), settleMs);
  return await report({ settings, supervisor, tickets, vendorFaults, historyFile: history.file, say });
}

async function killUntil(options: KillNineOptions, supervisor: Supervisor, random: Random): Promise<void> {
  const end = performance.now() + options.durationMs;
  await pause(random.between(lifeMsMin, lifeMsMax));
  for (;;) {
    await supervisor.kill();
    if (supervisor.kills >= options.killsMin && performance.now() >= end) return;
    if (random.chance(startingShare)) {
      supervisor.launch();
      await pause(random.next() * supervisor.medianReadyMs());
      continue;
    }
    await supervisor.start();
    await pause(random.between(lifeMsMin, lifeMsMax));
  }
}

interface Remains {
  readonly settings: ProductOptions;
  readonly supervisor: Supervisor;
  readonly tickets: TicketSystem;
  readonly vendorFaults: Readonly<Record<VendorFault, number>>;
  readonly historyFile: string;
  readonly say: (line: string) => void;
}

/** The log is read while nobody writes it, the API while the product runs, and the replay needs it stopped again. */
async function report({ settings, supervisor, tickets, ...rest }: Remains): Promise<KillNineReport> {
  await supervisor.stop();
  const log = await searchLog(settings.dataDir);
  const { url, token } = await supervisor.start();
  const history = readHistory(rest.historyFile);
  const api = openApi(url, token);
  await settle(api, settleMs);
  const verdict = await judge({ history, log, api, ledger: tickets.ledger() });
  await supervisor.stop();
  rest.say("replaying");
  const replayed = await verifyReplay(settings.dataDir, settings.cacheDir);
  const count = (outcome: Attempt["outcome"]): number => history.filter((one) => one.outcome === outcome).length;
  return {
    kills: supervisor.kills,
    killsWhileStarting: supervisor.killsWhileStarting,
    readyMs: supervisor.readyMs.toSorted((a, b) => a - b),
    attempts: {
      acked: count("acked"),
      refused: count("refused"),
      indeterminate: count("indeterminate"),
      unreachable: count("unreachable"),
    },
    acknowledgedEvents: history.reduce((sum, { stored }) => sum + stored, 0),
    vendorFaults: rest.vendorFaults,
    verdict,
    replayed,
  };
}
