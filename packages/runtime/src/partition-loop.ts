import type { Topic } from "@winnow/contracts";
import { type ErrorCode, hasCode, isLasting, WinnowError } from "@winnow/platform";
import type { Clock, CommitResult, EventLog, Ids, Refusal, StoredRecord } from "@winnow/ports";
import { boundsOf } from "./log-bounds.ts";

/** What a loop tells about itself. */
export interface LoopReporter {
  /** The partition stopped and needs a person. */
  alarm(error: WinnowError): void;
  /** Something failed and is tried again; see `isLasting` for what needs a person nevertheless. */
  trouble(error: unknown): void;
  /** Everything that was decided is committed, or stands as it was. */
  well(): void;
  /** The store refused: the claim is over. It is claimed again, unless another owner is to have it. */
  lost(why: Refusal["refused"]): void;
  /** Records that are done with could not be removed from the log; it is tried again. */
  untrimmed(error: unknown): void;
  /** Progress: `position` is the next record to read, `end` the log's end when last seen. */
  progress(position: number, end: number): void;
}

/** The part of a stage that the loop drives. Every method may throw; the loop then drops the session. */
export interface PartitionSession {
  /** Offset of the next record to process. */
  readonly position: number;
  /** Position of the last commit. */
  readonly committed: number;
  /** Decides about a record; resolves with the number of events in it. */
  process(record: StoredRecord): Promise<number>;
  /** Loads what the records will need, together. */
  prefetch(records: readonly StoredRecord[]): Promise<void>;
  /** True when there is something that a commit would write. */
  dirty(): boolean;
  /** Waits for outputs, then commits up to `position`. */
  commit(): Promise<CommitResult>;
  /** Null while the partition is still ours and stands where we think, else why not. */
  verify(): Promise<Refusal["refused"] | null>;
  /** Earliest deadline, epoch ms, or null. */
  nextDeadline(): number | null;
  /** Appends one tick record; resolves with its offset. */
  tick(): Promise<number>;
  /** Offset below which nobody needs the input any more, as the stores tell at this moment. */
  trimBelow(): Promise<number>;
  /** The partition is given up in good order, right after its last commit: makes the way short for its next owner. */
  handOver(): Promise<void>;
}

/** The store refused to load states: the claim is over, and with it the session. */
export class ClaimLost extends Error {
  readonly refused: Refusal["refused"];

  constructor({ refused }: Refusal) {
    super(`load refused: ${refused}`);
    this.refused = refused;
  }
}

export interface LoopSettings {
  readonly commitMs: number;
  readonly commitEvents: number;
  readonly verifyMs: number;
  readonly readBytes: number;
  readonly trimMs: number;
  /** Least time between two ticks: deadlines close to each other share one. */
  readonly tickMs: number;
}

export const defaultLoopSettings: LoopSettings = {
  commitMs: 250,
  commitEvents: 10_000,
  verifyMs: 1_000,
  readBytes: 1024 * 1024,
  trimMs: 10_000,
  tickMs: 50,
};

export interface LoopDependencies {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly report: LoopReporter;
  readonly settings: LoopSettings;
}

/** Where a session's commits, looks and ticks stand: monotonic ms, events since the commit, offset of the last tick. */
interface Pace {
  committed: number;
  verified: number;
  ticked: number;
  events: number;
  tick: number;
}

/** How a loop ended. `fenced`: another owner has the partition; join again. */
export type LoopEnd = { readonly end: "stopped" | "fenced" } | { readonly end: "alarm"; readonly error: WinnowError };

const waitIsOver = "the wait is over";
/** How long a stop waits for outputs that a full disk, say, does not take; ms. */
const stopMs = 5_000;
const retryMsMin = 50;
const retryMsMax = 2_000;
/** Pause where only a person can mend it; ms. */
const lastingMs = 5_000;
/** Crashes behind one commit before the partition stops. */
const crashesMax = 3;

/**
 * Owns one partition of one stage: claim, read, decide, commit, again and again.
 * Any failure drops the session and its cache; the next claim starts from the store's truth.
 */
export class PartitionLoop {
  readonly #topic: Topic;
  readonly #partition: number;
  readonly #open: (token: string, signal: AbortSignal) => Promise<PartitionSession>;
  readonly #deps: LoopDependencies;
  #crashes = { position: -1, count: 0 };
  #lastTrim = 0;

  constructor(
    at: { readonly topic: Topic; readonly partition: number },
    open: (token: string, signal: AbortSignal) => Promise<PartitionSession>,
    deps: LoopDependencies,
  ) {
    this.#topic = at.topic;
    this.#partition = at.partition;
    this.#open = open;
    this.#deps = deps;
  }

  /** Runs until the signal is aborted (committing what it has), the partition is lost, or it must stop. */
  async run(signal: AbortSignal): Promise<LoopEnd> {
    let pause = retryMsMin;
    while (!signal.aborted) {
      const started = this.#deps.clock.monotonic();
      const failure = await this.#attempt(signal);
      if (failure === "stopped" || failure === "fenced") return { end: failure };
      if (failure instanceof WinnowError && failure.retry === "permanent" && !isLasting(failure)) {
        this.#deps.report.alarm(failure);
        return { end: "alarm", error: failure };
      }
      if (this.#deps.clock.monotonic() - started > retryMsMax) pause = retryMsMin;
      await this.#deps.clock.sleep(isLasting(failure) ? lastingMs : pause, signal);
      pause = Math.min(pause * 2, retryMsMax);
    }
    return { end: "stopped" };
  }

  /** One session. Resolves with how it ended, or with the error to retry after. */
  async #attempt(signal: AbortSignal): Promise<"stopped" | "fenced" | "again" | WinnowError> {
    const inner = new AbortController();
    const stop = () => inner.abort(waitIsOver);
    const hurry = (): void => {
      // What cannot be published or committed by then is decided again after the next start.
      void this.#deps.clock.sleep(stopMs, inner.signal).then(stop);
    };
    signal.addEventListener("abort", hurry, { once: true });
    let session: PartitionSession | null = null;
    try {
      session = await this.#open(this.#deps.ids.token(), inner.signal);
      return await this.#work(session, signal);
    } catch (error) {
      if (error instanceof ClaimLost) return this.#lost(error.refused);
      this.#deps.report.trouble(error);
      // Records went away below a checkpoint that was saved beside this session: a claim finds it, or raises the alarm.
      const isOvertaken = session !== null && hasCode(error, "log_offset_trimmed");
      if (error instanceof WinnowError && !isOvertaken)
        return error.retry === "permanent" || isLasting(error) ? error : "again";
      return this.#crashed(session?.committed ?? -1, error) ?? "again";
    } finally {
      signal.removeEventListener("abort", hurry);
      stop();
    }
  }

  /** Another owner has it: give the partition up. The store stands elsewhere: claim again and start from its truth. */
  #lost(refused: Refusal["refused"]): "fenced" | "again" {
    this.#deps.report.lost(refused);
    return refused === "fenced" ? "fenced" : "again";
  }

  /** Counts a crash; after three at one position the partition stops rather than spin. */
  #crashed(position: number, error: unknown): WinnowError | null {
    this.#crashes =
      this.#crashes.position === position ? { position, count: this.#crashes.count + 1 } : { position, count: 1 };
    if (this.#crashes.count < crashesMax) return null;
    return new WinnowError(
      "stage_stuck",
      `${crashesMax} crashes behind the commit at offset ${position} of ${this.#topic}`,
      {
        cause: error,
        fields: { topic: this.#topic, partition: this.#partition, position },
      },
    );
  }

  async #work(session: PartitionSession, signal: AbortSignal): Promise<"stopped" | "fenced" | "again"> {
    const { clock, settings, log } = this.#deps;
    const now = clock.monotonic();
    const pace: Pace = { committed: now, verified: now, ticked: Number.NEGATIVE_INFINITY, events: 0, tick: -1 };
    while (!signal.aborted) {
      const records = await log.read(this.#topic, this.#partition, session.position, settings.readBytes);
      if (records.length > 0) await session.prefetch(records);
      for (const record of records) {
        pace.events += await session.process(record);
        if (pace.events < settings.commitEvents && clock.monotonic() - pace.committed < settings.commitMs) continue;
        const lost = await this.#commit(session, pace);
        if (lost !== null) return lost;
        if (signal.aborted) break;
      }
      this.#deps.report.progress(session.position, session.position);
      if (records.length > 0) continue;
      const lost = await this.#idle(session, pace, signal);
      if (lost !== null) return lost;
    }
    const lost = await this.#commit(session, pace);
    if (lost === null) await session.handOver();
    return lost ?? "stopped";
  }

  /** Commits when there is something to commit. Non-null: the session is over. */
  async #commit(session: PartitionSession, pace: Pace): Promise<"fenced" | "again" | null> {
    if (session.dirty()) {
      const result = await session.commit();
      if ("refused" in result) return this.#lost(result.refused);
      pace.verified = this.#deps.clock.monotonic();
    }
    this.#deps.report.well();
    pace.committed = this.#deps.clock.monotonic();
    pace.events = 0;
    await this.#trim(session);
    return null;
  }

  async #trim(session: PartitionSession): Promise<void> {
    const now = this.#deps.clock.monotonic();
    if (now - this.#lastTrim < this.#deps.settings.trimMs) return;
    this.#lastTrim = now;
    const below = await session.trimBelow();
    await this.#deps.log.trim(this.#topic, this.#partition, below).catch((error: unknown) => {
      // What could not be removed now can be later; deciding goes on.
      if (!(error instanceof WinnowError) || error.retry === "permanent") throw error;
      this.#deps.report.untrimmed(error);
    });
  }

  /** Nothing to read: commit, verify, tick, or wait for the first of them. Non-null: the session is over. */
  async #idle(session: PartitionSession, pace: Pace, signal: AbortSignal): Promise<"fenced" | "again" | null> {
    const { clock, settings } = this.#deps;
    const monotonic = clock.monotonic();
    if (session.dirty() && monotonic - pace.committed >= settings.commitMs) return this.#commit(session, pace);
    if (monotonic - pace.verified >= settings.verifyMs) {
      pace.verified = monotonic;
      const refused = await session.verify();
      if (refused !== null) return this.#lost(refused);
      this.#deps.report.well();
    }
    const deadline = session.nextDeadline();
    const untilTick = pace.ticked + settings.tickMs - monotonic;
    const untilDeadline = deadline === null ? settings.verifyMs : Math.max(deadline - clock.now(), untilTick);
    if (untilDeadline <= 0 && session.position > pace.tick) {
      pace.ticked = monotonic;
      pace.tick = await session.tick();
      return null;
    }
    const untilCommit = session.dirty() ? pace.committed + settings.commitMs - monotonic : settings.verifyMs;
    await this.#waitForRecord(session.position, Math.max(1, Math.min(untilDeadline, untilCommit)), signal);
    return null;
  }

  async #waitForRecord(position: number, ms: number, signal: AbortSignal): Promise<void> {
    const waiting = new AbortController();
    // With a reason of ours no error with a stack is made, many times a second.
    const stop = (): void => {
      waiting.abort(waitIsOver);
    };
    signal.addEventListener("abort", stop, { once: true });
    try {
      await Promise.race([
        this.#deps.log.wait(this.#topic, this.#partition, position, waiting.signal),
        this.#deps.clock.sleep(ms, waiting.signal),
      ]);
    } finally {
      signal.removeEventListener("abort", stop);
      stop();
    }
  }
}

/**
 * Checks the position of a claim. One that does not fit the log is an alarm only while the claim stands: another owner
 * may have moved on, and the log been trimmed behind it, since the position was read.
 */
export async function checkClaim(
  log: EventLog,
  at: { readonly topic: Topic; readonly partition: number },
  claimed: {
    readonly stored: { readonly position: number; readonly log_id: string } | null;
    readonly stands: () => Promise<boolean>;
  },
): Promise<{ readonly position: number; readonly log_id: string }> {
  try {
    return await checkPosition(log, at, claimed.stored);
  } catch (error) {
    const misfits = error instanceof WinnowError && error.retry === "permanent";
    if (misfits && !(await claimed.stands())) throw new ClaimLost({ refused: "fenced" });
    throw error;
  }
}

/** Checks a stored position against the log it was stored for. Throws a permanent error when they do not fit. */
async function checkPosition(
  log: EventLog,
  at: { readonly topic: Topic; readonly partition: number },
  stored: { readonly position: number; readonly log_id: string } | null,
): Promise<{ readonly position: number; readonly log_id: string }> {
  const bounds = await boundsOf(log, at.topic, at.partition);
  const position = stored?.position ?? 0;
  const refuse = (code: ErrorCode, message: string): never => {
    throw new WinnowError(code, `${message}: ${at.topic} partition ${at.partition}`, {
      fields: { position, start: bounds.start_offset, end: bounds.end_offset },
    });
  };
  if (stored !== null && stored.log_id !== bounds.log_id) refuse("log_replaced", "the log is another one");
  if (position < bounds.start_offset) refuse("log_offset_trimmed", "records were removed before they were processed");
  if (position > bounds.end_offset) refuse("log_offset_beyond_end", "the log went backwards");
  return { position, log_id: bounds.log_id };
}
