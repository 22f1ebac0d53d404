import type { SegmentLog } from "../../src/log-segment/index.ts";
import { openSegmentLog } from "../../src/log-segment/index.ts";
import { HandClock, Lines } from "./support.ts";
import { VolatileDisk } from "./volatile-disk.ts";

export const worldPartitions = 2;

/** What is known of one appended record. */
interface Fate {
  /** called: no answer yet; gone: refused and a later append was accepted since. */
  state: "called" | "accepted" | "refused" | "gone";
  offset: number | null;
  readonly events: number;
}

/** What callers and readers of one partition have been promised. */
class Ledger {
  readonly fates: Fate[] = [];
  /** Record number by offset, as answered or as read: must never change again. */
  readonly content: number[] = [];
  /** Highest offset below which trimming was ever allowed. */
  allowed = 0;
}

/** Seeded numbers in [0, 1): mulberry32. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A log on a disk that fails, stops and forgets, beside a ledger of what must hold whatever happens. */
export class CrashWorld {
  readonly disk: VolatileDisk;
  readonly clock = new HandClock();
  readonly problems: string[] = [];
  readonly #ledgers = Array.from({ length: worldPartitions }, () => new Ledger());
  readonly #logIds: string[] = [];
  #log: SegmentLog | null = null;
  #outstanding: Promise<void>[] = [];
  #stopped: Promise<void> = Promise.resolve();
  readonly seen = { accepted: 0, refused: 0, adopted: 0, trimmed: 0 };

  constructor(seed: number) {
    this.disk = new VolatileDisk(seeded(seed));
  }

  /** Opens the log for the first time. */
  start(): Promise<void> {
    return this.#open();
  }

  /** Appends a record of about `bytes` bytes without waiting for the answer. */
  append(partition: number, bytes: number): void {
    const log = this.#log;
    const ledger = this.#ledgers[partition];
    if (log === null || ledger === undefined) return;
    const number = ledger.fates.length;
    const fate: Fate = { state: "called", offset: null, events: number % 3 };
    const unanswered = ledger.fates.filter((one) => one.state === "called");
    ledger.fates.push(fate);
    const delivered_ms = { ["x".repeat(bytes)]: 0 };
    const value = { kind: "tick", at_ms: number, ready_since_ms: partition, delivered_ms } as const;
    const answer = log.append("alerts", partition, [{ value, events: fate.events }]).then(
      (offset) => this.#accepted(partition, { number, offset, unanswered }),
      () => {
        fate.state = "refused";
        this.seen.refused += 1;
      },
    );
    this.#outstanding.push(answer);
  }

  /** Waits until all appends are answered or the machine has stopped; then it is as if killed. */
  async settle(): Promise<void> {
    const outstanding = this.#outstanding;
    this.#outstanding = [];
    await Promise.race([Promise.all(outstanding), this.#stopped]);
    await this.#restartIfStopped();
  }

  async trim(partition: number): Promise<void> {
    const ledger = this.#ledgers[partition];
    if (this.#log === null || ledger === undefined) return;
    this.clock.advance(1000);
    ledger.allowed = Math.max(ledger.allowed, ledger.content.length - 2);
    const trimming = this.#log.trim("alerts", partition, ledger.allowed).catch(() => undefined);
    await Promise.race([trimming, this.#stopped]);
    await this.settle();
  }

  /** From here on what was refused must never come. */
  holdRefusals(): void {
    for (const { fates } of this.#ledgers) for (const one of fates) if (one.state === "refused") one.state = "gone";
  }

  /** Ends the process in one of three ways, opens the log again and checks it. */
  async restart(how: "close" | "kill" | "power"): Promise<void> {
    if (how === "close" && this.#log !== null) await Promise.race([this.#log.close(), this.#stopped]);
    if (how === "power") this.disk.powerCut();
    else this.disk.kill();
    this.#log = null;
    this.#outstanding = [];
    await this.#open();
    await this.check();
    // What no answer came for, or a refusal, and is not there now must never come.
    for (const { fates } of this.#ledgers) {
      for (const one of fates) if (one.state === "called" || one.state === "refused") one.state = "gone";
    }
  }

  /** Everything that was promised must be what is read. */
  async check(): Promise<void> {
    const log = this.#log;
    if (log === null) return;
    const checks = this.#ledgers.map((ledger, partition) => this.#checkPartition(log, partition, ledger));
    await Promise.race([Promise.all(checks), this.#stopped]);
    await this.#restartIfStopped();
  }

  async #restartIfStopped(): Promise<void> {
    if (this.disk.calls >= this.disk.stopAt) await this.restart("kill");
  }

  async #open(): Promise<void> {
    while (this.#log === null) {
      this.#stopped = this.disk.stopped();
      const opening = openSegmentLog({
        dir: "/log",
        partitions: worldPartitions,
        segmentBytes: 900,
        retention: { maxAgeMs: 1500, maxBytes: Number.POSITIVE_INFINITY },
        clock: this.clock,
        log: new Lines(),
        freeSpaceFloorBytes: 0,
        cacheBytesMax: 300,
        groupBytesMax: 600,
        fs: this.disk.session(),
      });
      const opened = await Promise.race([opening.catch(() => null), this.#stopped.then(() => null)]);
      if (opened === null) {
        this.disk.faults.length = 0;
        this.disk.kill();
      }
      this.#log = opened;
    }
  }

  #accepted(
    partition: number,
    answer: { readonly number: number; readonly offset: number; readonly unanswered: readonly Fate[] },
  ): void {
    const ledger = this.#ledgers[partition];
    const fate = ledger?.fates[answer.number];
    if (ledger === undefined || fate === undefined) return;
    this.seen.accepted += 1;
    fate.state = "accepted";
    fate.offset = answer.offset;
    this.#put(partition, answer.offset, answer.number);
    // Called before this one and unanswered then: whoever called this one could not know that they fail.
    if (answer.unanswered.some((one) => one.state === "refused" || one.state === "gone")) {
      this.#problem(partition, `record ${answer.number} was accepted over a refused one before it`);
    }
    for (const one of ledger.fates) if (one.state === "refused") one.state = "gone";
  }

  async #checkPartition(log: SegmentLog, partition: number, ledger: Ledger): Promise<void> {
    const status = await log.status("alerts", partition);
    this.#logIds[partition] ??= status.log_id;
    if (this.#logIds[partition] !== status.log_id) this.#problem(partition, "another log_id");
    if (status.end_offset < ledger.content.length) this.#problem(partition, `ends at ${status.end_offset}`);
    if (status.start_offset > 0) this.seen.trimmed += 1;
    if (status.start_offset > ledger.allowed) this.#problem(partition, `trimmed to ${status.start_offset}`);
    let offset = status.start_offset;
    while (offset < status.end_offset) {
      const records = await log.read("alerts", partition, offset, 400);
      for (const record of records) {
        if (record.offset !== offset) this.#problem(partition, `offset ${record.offset} instead of ${offset}`);
        const { at_ms: number, ready_since_ms: home } = record.value as { at_ms: number; ready_since_ms: number };
        if (home !== partition) this.#problem(partition, "a record of another partition");
        this.#put(partition, offset, number);
        offset += 1;
      }
      if (records.length === 0) return this.#problem(partition, `nothing at ${offset}`);
    }
    this.#checkContent(partition, ledger, status.events);
  }

  #checkContent(partition: number, ledger: Ledger, events: number): void {
    let expected = 0;
    let before = -1;
    for (const [offset, number] of ledger.content.entries()) {
      const fate = ledger.fates[number];
      if (fate === undefined) return this.#problem(partition, `unknown record ${number}`);
      if (fate.state === "gone") this.#problem(partition, `record ${number} came back after it was refused`);
      if (fate.state !== "accepted") this.seen.adopted += 1;
      if (fate.offset !== null && fate.offset !== offset) this.#problem(partition, `record ${number} moved`);
      const skipped = ledger.fates.slice(before + 1, Math.max(before + 1, number));
      if (number <= before) this.#problem(partition, `record ${number} stands behind ${before}`);
      if (skipped.some((one) => one.state === "called")) this.#problem(partition, `a hole before record ${number}`);
      fate.state = "accepted";
      fate.offset = offset;
      expected += fate.events;
      before = number;
    }
    if (events !== expected) this.#problem(partition, `${events} events instead of ${expected}`);
  }

  /** Notes what stands at an offset; it may never become something else. */
  #put(partition: number, offset: number, number: number): void {
    const content = this.#ledgers[partition]?.content ?? [];
    const known = content[offset];
    if (known !== undefined && known !== number) this.#problem(partition, `offset ${offset}: ${number}, was ${known}`);
    if (known === undefined && offset !== content.length) this.#problem(partition, `offset ${offset} leaves a hole`);
    content[offset] = number;
  }

  #problem(partition: number, text: string): void {
    this.problems.push(`partition ${partition}: ${text}`);
  }
}
