import { reason, type TimelineEntry } from "@winnow/contracts";
import type {
  Clock,
  DeliveryRow,
  DeliveryUpdate,
  Ids,
  RemoteTicket,
  SinkCall,
  SinkResult,
  TicketContent,
  TicketSink,
} from "@winnow/ports";
import { CreateBudget } from "./create-budget.ts";
import { type DeliveryContent, type DeliveryStore, readContent } from "./delivery-content.ts";

/** One destination as the configuration has it. */
export interface DestinationSettings {
  readonly name: string;
  readonly mode: "dry_run" | "live";
  readonly maxCreatesPerMinute: number;
  /** Operations under way at once. */
  readonly concurrency: number;
}

export interface DeliveryDependencies {
  readonly store: DeliveryStore;
  readonly clock: Clock;
  readonly ids: Ids;
  /** 0 ≤ x < 1, for the jitter of back-offs. */
  readonly random: () => number;
  /** Names this installation in every ticket's key. */
  readonly deploymentId: string;
  /** Base of the links back. */
  readonly publicUrl: () => string;
  readonly report: DeliveryReporter;
}

export interface DeliveryReporter {
  /** An attempt ended; `result` is from a closed set. */
  attempt(destination: string, result: "done" | "refused" | "unknown" | "gone" | "lost_lease" | "dry_run"): void;
  /** More than one ticket carries one key. */
  twins(destination: string, count: number): void;
  /** First time a ticket of this incident generation stands; ms since the incident opened. */
  ticketed(destination: string, ms: number): void;
  trouble(destination: string, error: unknown): void;
}

const backoffMsMin = 1_000;
const backoffMsMax = 300_000;
/** A lookup sends nothing: it is asked again after half a minute at the latest, unless the vendor says later. */
const lookupDoublingsMax = 5;
const authPauseMs = 60_000;
const idleMs = 1_000;
/** How long requests under way may take to end when the worker is asked to stop. */
const finishMs = 10_000;
/** Time for a request beyond the vendor's own kill time, so that a lease never ends under a running request. */
const leaseSpareMs = 30_000;

interface Attempt extends DeliveryContent {
  readonly row: DeliveryRow;
  readonly token: string;
  readonly leasedUntil: number;
}

/** Brings one destination to the desired state of every incident. The only place that retries. */
export class DeliveryWorker {
  readonly #settings: DestinationSettings;
  readonly #sink: TicketSink;
  readonly #deps: DeliveryDependencies;
  readonly #budget: CreateBudget;
  readonly #running = new Set<Promise<void>>();
  /** Cuts requests off. */
  readonly #cut = new AbortController();
  #wake: AbortController = new AbortController();
  #pausedUntil = 0;

  constructor(settings: DestinationSettings, sink: TicketSink, deps: DeliveryDependencies) {
    this.#settings = settings;
    this.#sink = sink;
    this.#deps = deps;
    this.#budget = new CreateBudget(settings.maxCreatesPerMinute);
  }

  /** Something may have become due. */
  wake(): void {
    this.#wake.abort();
  }

  /** Runs until the signal is aborted; what is under way then has ten seconds to end before it is cut off. */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#settings.mode === "live") await this.#untilDone(signal, () => this.#requeueDryRuns());
    while (!signal.aborted) {
      const started = await this.#round().catch((error: unknown) => {
        this.#deps.report.trouble(this.#settings.name, error);
        return 0;
      });
      if (started === 0) await this.#rest(signal);
    }
    await this.#finish();
  }

  async #finish(): Promise<void> {
    const finished = new AbortController();
    const all = Promise.allSettled(this.#running).then(() => finished.abort());
    await this.#deps.clock.sleep(finishMs, finished.signal);
    this.#cut.abort();
    await all;
  }

  async #untilDone(signal: AbortSignal, work: () => Promise<unknown>): Promise<void> {
    while (!signal.aborted) {
      try {
        await work();
        return;
      } catch (error) {
        this.#deps.report.trouble(this.#settings.name, error);
        await this.#deps.clock.sleep(idleMs, signal);
      }
    }
  }

  async #requeueDryRuns(): Promise<void> {
    await this.#deps.store.requeue(this.#settings.name);
  }

  async #rest(signal: AbortSignal): Promise<void> {
    this.#wake = new AbortController();
    const stop = () => this.#wake.abort();
    signal.addEventListener("abort", stop, { once: true });
    await this.#deps.clock.sleep(await this.#restMs(), this.#wake.signal);
    signal.removeEventListener("abort", stop);
  }

  /** How long there is nothing to do, unless somebody wakes us; ms. The store is asked only where it can matter. */
  async #restMs(): Promise<number> {
    const { clock, store } = this.#deps;
    const paused = this.#pausedUntil - clock.monotonic();
    if (paused > 0) return paused;
    if (this.#running.size >= this.#settings.concurrency) return idleMs;
    const due = await store.nextDue(this.#settings.name).catch(() => null);
    const now = await store.storeNow().catch(() => null);
    return due === null || now === null ? idleMs : Math.min(idleMs, Math.max(due - now, 20));
  }

  /** Leases what is due and starts it. Resolves with the number of deliveries started. */
  async #round(): Promise<number> {
    const free = this.#settings.concurrency - this.#running.size;
    if (free <= 0 || this.#deps.clock.monotonic() < this.#pausedUntil) return 0;
    const token = this.#deps.ids.token();
    const leaseMs = this.#sink.killTimeMs + leaseSpareMs;
    const before = this.#deps.clock.monotonic();
    const rows = await this.#deps.store.lease(this.#settings.name, {
      token,
      leaseMs,
      killMs: this.#sink.killTimeMs,
      limit: free,
    });
    for (const row of rows) this.#start(row, token, before + leaseMs);
    return rows.length;
  }

  #start(row: DeliveryRow, token: string, leasedUntil: number): void {
    const work = this.#deliver(row, token, leasedUntil)
      .catch((error: unknown) => {
        this.#deps.report.trouble(this.#settings.name, error);
      })
      .finally(() => {
        this.#running.delete(work);
        this.wake();
      });
    this.#running.add(work);
  }

  async #deliver(row: DeliveryRow, token: string, leasedUntil: number): Promise<void> {
    const attempt = await this.#prepare(row, token, leasedUntil);
    if (attempt === null) return;
    if (this.#settings.mode === "dry_run") return this.#dryRun(attempt);
    if (row.delivery_state === "unknown") return this.#resolveUnknown(attempt);
    if (row.remote_id !== null) return this.#update(attempt);
    const epoch = await this.#deps.store.epoch();
    if (epoch !== null && this.#sink.find !== undefined) return this.#lookUp(attempt, epoch);
    return this.#create(attempt);
  }

  /** Null: the incident is not there, which ends the delivery. */
  async #prepare(row: DeliveryRow, token: string, leasedUntil: number): Promise<Attempt | null> {
    const { store, deploymentId, publicUrl } = this.#deps;
    const read = await readContent(row, { store, deploymentId, publicUrl: publicUrl() });
    if (read !== null) return { row, token, leasedUntil, ...read };
    await this.#settle(row, token, {
      delivery_state: "dead",
      last_error: { code: "incident_missing", message: "the incident is not in the store" },
    });
    return null;
  }

  async #dryRun(attempt: Attempt): Promise<void> {
    this.#deps.report.attempt(this.#settings.name, "dry_run");
    await this.#settle(attempt.row, attempt.token, {
      delivery_state: "parked",
      due_ms: null,
      last_error: {
        code: "dry_run",
        message: `would ${attempt.row.remote_id === null ? "create" : "update"} a ticket`,
      },
      ...(attempt.row.last_error?.code === "dry_run" ? {} : { timeline: this.#line(reason("dry_run", this.#named())) }),
    });
  }

  async #create(attempt: Attempt): Promise<void> {
    const { row } = attempt;
    const wait = this.#budget.take(this.#deps.clock.monotonic(), row.priority);
    if (wait > 0) {
      const error = { code: "create_budget", message: "too many creates a minute" };
      return this.#postpone(attempt, { ms: wait, error, attempts: row.attempts });
    }
    const call = await this.#open(attempt);
    if (call === null) return this.#lostLease();
    const result = await this.#sink.create(attempt.content, call);
    await this.#ended(attempt, result, "ticket_created");
  }

  async #update(attempt: Attempt): Promise<void> {
    const call = await this.#open(attempt);
    if (call === null) return this.#lostLease();
    const result = await this.#sink.update(remoteOf(attempt.row), attempt.content, call);
    await this.#ended(attempt, result, updateReason(attempt.content));
  }

  /** Writes `inflight` and gives the call whose `beforeSend` watches the lease. Null: the lease is lost. */
  async #open(attempt: Attempt): Promise<SinkCall | null> {
    const { clock, store } = this.#deps;
    const marked = clock.monotonic();
    const sent = await store.markInflight(attempt.row, attempt.token, {
      version: attempt.content.incident.version,
      seq: attempt.newestSeq,
    });
    if (sent === null) return null;
    const sendBy = Math.min(marked + this.#openingMs(), attempt.leasedUntil);
    return { signal: this.#cut.signal, beforeSend: () => clock.monotonic() <= sendBy };
  }

  /** How long after `inflight` was written a request may still begin; without limit where no lookup counts from there. */
  #openingMs(): number {
    if (this.#sink.find === undefined && this.#sink.confirm === undefined) return Number.POSITIVE_INFINITY;
    const margin = Math.max(this.#sink.killTimeMs / 5, 20);
    return Math.max(margin - 1_000, margin / 2);
  }

  #reading(): SinkCall {
    return { signal: this.#cut.signal, beforeSend: () => true };
  }

  #lostLease(): void {
    this.#deps.report.attempt(this.#settings.name, "lost_lease");
  }

  /** A request has ended, one way or another. */
  async #ended(
    attempt: Attempt,
    result: SinkResult<RemoteTicket>,
    done: "ticket_created" | "ticket_updated" | "ticket_resolved" | "ticket_reopened",
  ): Promise<void> {
    this.#deps.report.attempt(this.#settings.name, result.kind);
    switch (result.kind) {
      case "done":
        return this.#applied(attempt, result.value, done);
      case "refused":
        return this.#refused(attempt, result);
      case "gone":
        return this.#succeed(attempt, result);
      case "unknown":
        return this.#lost(attempt, result);
    }
  }

  async #applied(
    attempt: Attempt,
    remote: RemoteTicket,
    done: "ticket_created" | "ticket_updated" | "ticket_resolved" | "ticket_reopened" | "ticket_adopted",
  ): Promise<void> {
    const { row, content } = attempt;
    const created = done === "ticket_created" || done === "ticket_adopted";
    // A new ticket is open: what has happened to the incident since must still be told, as must notes that found no room.
    const isCurrent = !created || (content.incident.state === "new" && done === "ticket_created");
    const complete = isCurrent && !attempt.hasMoreNotes;
    const version = done === "ticket_adopted" ? (row.sent_version ?? 0) : content.incident.version;
    const seq = done === "ticket_adopted" ? (row.sent_seq ?? 0) : attempt.newestSeq;
    await this.#settle(row, attempt.token, {
      delivery_state: "idle",
      applied_version: complete ? version : behindWish(row, version),
      applied_seq: seq,
      remote_id: remote.remote_id,
      remote_url: remote.remote_url,
      attempts: 0,
      due_ms: null,
      last_error: null,
      timeline: this.#line(reason(done, { ...this.#named(), ticket: remote.remote_id })),
    });
    if (created) this.#deps.report.ticketed(this.#settings.name, this.#deps.clock.now() - content.incident.opened_ms);
  }

  async #refused(attempt: Attempt, result: Extract<SinkResult<never>, { kind: "refused" }>): Promise<void> {
    const { row } = attempt;
    const error = { code: result.code, message: result.message };
    if (result.retry === "never") {
      await this.#settle(row, attempt.token, {
        delivery_state: "dead",
        attempts: row.attempts + 1,
        due_ms: null,
        last_error: error,
        timeline: this.#line(
          reason("delivery_failed", { ...this.#named(), code: result.code, message: result.message }),
        ),
      });
      return;
    }
    const pause = result.retry === "auth" ? authPauseMs : (result.retryAfterMs ?? 0);
    if (pause > 0) this.#pausedUntil = Math.max(this.#pausedUntil, this.#deps.clock.monotonic() + pause);
    const ms = Math.max(pause, this.#backoff(row.attempts));
    await this.#postpone(attempt, { ms, error, attempts: row.attempts + 1 });
  }

  async #postpone(
    attempt: Attempt,
    to: { readonly ms: number; readonly attempts: number; readonly error: { code: string; message: string } },
  ): Promise<void> {
    const now = await this.#deps.store.storeNow();
    await this.#settle(attempt.row, attempt.token, {
      delivery_state: "due",
      attempts: to.attempts,
      due_ms: now + Math.ceil(to.ms),
      last_error: to.error,
    });
  }

  /** The remote ticket is closed for good: this generation ends, a linked successor begins. */
  async #succeed(attempt: Attempt, result: { code: string; message: string }): Promise<void> {
    await this.#settle(attempt.row, attempt.token, {
      delivery_state: "idle",
      applied_version: attempt.row.desired_version,
      due_ms: null,
      last_error: { code: result.code, message: result.message },
      successor: true,
      timeline: this.#line(reason("ticket_succeeded", { ...this.#named(), ticket: attempt.row.remote_id ?? "" })),
    });
  }

  async #lost(attempt: Attempt, result: { code: string; message: string }): Promise<void> {
    const now = await this.#deps.store.storeNow();
    await this.#settle(attempt.row, attempt.token, {
      delivery_state: "unknown",
      attempts: attempt.row.attempts + 1,
      due_ms: now + Math.round(this.#backoff(Math.min(attempt.row.attempts, 3))),
      last_error: { code: result.code, message: result.message },
      timeline: this.#line(reason("delivery_unknown", { ...this.#named(), code: result.code })),
    });
  }

  /** The reply was lost: what a lookup shows decides, and a negative answer counts only once the vendor must be done. */
  async #resolveUnknown(attempt: Attempt): Promise<void> {
    if (attempt.row.remote_id !== null) return this.#confirm(attempt);
    if (this.#sink.class === "A" || this.#sink.find === undefined) return this.#create(attempt);
    return this.#lookUp(attempt, attempt.row.sent_ms ?? 0);
  }

  async #lookUp(attempt: Attempt, since: number): Promise<void> {
    const asked = await this.#deps.store.storeNow();
    const result = await this.#sink.find?.(attempt.content.key, this.#reading());
    if (result === undefined) return this.#create(attempt);
    if (result.kind !== "done") return this.#stillUnknown(attempt, result);
    if (result.value !== null) {
      if (result.value.twins.length > 0) this.#deps.report.twins(this.#settings.name, result.value.twins.length);
      return this.#applied(attempt, result.value, "ticket_adopted");
    }
    const counts = since + this.#sink.killTimeMs + (this.#sink.class === "D" ? this.#sink.settleMs : 0);
    if (asked > counts) return this.#create(attempt);
    await this.#settle(attempt.row, attempt.token, { delivery_state: "unknown", due_ms: counts + 1 });
  }

  async #stillUnknown(attempt: Attempt, result: Exclude<SinkResult<unknown>, { kind: "done" }>): Promise<void> {
    const pause = result.kind === "refused" ? (result.retryAfterMs ?? 0) : 0;
    const now = await this.#deps.store.storeNow();
    await this.#settle(attempt.row, attempt.token, {
      delivery_state: "unknown",
      attempts: attempt.row.attempts + 1,
      due_ms: now + Math.round(Math.max(pause, this.#backoff(Math.min(attempt.row.attempts, lookupDoublingsMax)))),
      last_error: { code: result.code, message: result.message },
    });
  }

  /** An update with a lost reply: applied, or not applied and the vendor must be done with it. */
  async #confirm(attempt: Attempt): Promise<void> {
    const { row } = attempt;
    if (this.#sink.confirm === undefined) return this.#applied(attempt, remoteOf(row), "ticket_updated");
    const asked = await this.#deps.store.storeNow();
    const sentSeq = row.sent_seq ?? row.applied_seq;
    const notes = attempt.content.notes.filter((note) => note.seq <= sentSeq);
    const result = await this.#sink.confirm(remoteOf(row), { ...attempt.content, notes }, this.#reading());
    if (result.kind === "gone") return this.#succeed(attempt, result);
    if (result.kind !== "done") return this.#stillUnknown(attempt, result);
    const counts = (row.sent_ms ?? 0) + this.#sink.killTimeMs;
    // Without a note of its own nothing shows that this very update is through: it may still come, over a later one.
    const isThrough = result.value && (notes.length > 0 || asked > counts);
    if (isThrough) {
      const version = row.sent_version ?? row.applied_version;
      const complete = !attempt.hasMoreNotes && notes.length === attempt.content.notes.length;
      await this.#settle(row, attempt.token, {
        delivery_state: "idle",
        applied_version: complete ? version : behindWish(row, version),
        applied_seq: sentSeq,
        due_ms: null,
        last_error: null,
      });
      return;
    }
    if (asked > counts) return this.#update(attempt);
    await this.#settle(row, attempt.token, { delivery_state: "unknown", due_ms: counts + 1 });
  }

  async #settle(row: DeliveryRow, token: string, update: DeliveryUpdate): Promise<void> {
    if (!(await this.#deps.store.settle(row, token, update))) this.#lostLease();
  }

  #backoff(attempts: number): number {
    const ceiling = Math.min(backoffMsMax, backoffMsMin * 2 ** Math.min(attempts, 20));
    return ceiling / 2 + (this.#deps.random() * ceiling) / 2;
  }

  #named(): { destination: string } {
    return { destination: this.#settings.name };
  }

  #line(why: TimelineEntry["reason"]): TimelineEntry {
    return { kind: "delivery", at_ms: this.#deps.clock.now(), actor: "winnow", reason: why };
  }
}

/**
 * The applied version of a ticket that does not show everything yet: below what was wished, so that it is due again.
 * The incident may be newer than any wish, since not every change of it is worth an update.
 */
function behindWish(row: DeliveryRow, version: number): number {
  return Math.max(0, Math.min(version, row.desired_version) - 1);
}

function remoteOf(row: DeliveryRow): RemoteTicket {
  return { remote_id: row.remote_id ?? "", remote_url: row.remote_url };
}

function updateReason(content: TicketContent): "ticket_updated" | "ticket_resolved" | "ticket_reopened" {
  const last = content.notes.findLast((note) => note.kind === "resolved" || note.kind === "reopened");
  if (last?.kind === "resolved" && content.incident.state === "resolved") return "ticket_resolved";
  return last?.kind === "reopened" ? "ticket_reopened" : "ticket_updated";
}
