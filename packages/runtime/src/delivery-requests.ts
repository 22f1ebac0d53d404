import type { SinkCall, TicketContent } from "@winnow/ports";
import { type Attempt, remoteOf, type Workplace } from "./delivery-attempt.ts";
import { type Done, ended, leaseLost, postponed } from "./delivery-endings.ts";

/** Creates the ticket, if the destination's budget has room. */
export async function create(work: Workplace, attempt: Attempt): Promise<void> {
  const { row } = attempt;
  const wait = work.budget.take(work.deps.clock.monotonic(), row.priority);
  if (wait > 0) {
    const error = { code: "create_budget", message: "too many creates a minute" };
    return postponed(work, attempt, { ms: wait, error, attempts: row.attempts });
  }
  const request = await open(work, attempt);
  if (request === null) return leaseLost(work);
  const result = await work.sink.create(attempt.content, request.call);
  await ended(work, attempt, { result, done: "ticket_created", wasHeldBack: request.wasHeldBack() });
}

/** Brings a ticket that stands to what it should show. */
export async function update(work: Workplace, attempt: Attempt): Promise<void> {
  const request = await open(work, attempt);
  if (request === null) return leaseLost(work);
  const result = await work.sink.update(remoteOf(attempt.row), attempt.content, request.call);
  const done = updateReason(attempt.content);
  await ended(work, attempt, { result, done, wasHeldBack: request.wasHeldBack() });
}

interface OpenRequest {
  /** Its `beforeSend` watches the lease. */
  readonly call: SinkCall;
  /** True once `beforeSend` has said no. */
  readonly wasHeldBack: () => boolean;
}

/** Writes `inflight`. Null: the lease is lost. */
async function open(work: Workplace, attempt: Attempt): Promise<OpenRequest | null> {
  const { clock, store } = work.deps;
  const marked = clock.monotonic();
  const sent = await store.markInflight(attempt.row, attempt.token, {
    version: attempt.content.incident.version,
    seq: attempt.newestSeq,
  });
  if (sent === null) return null;
  const sendBy = Math.min(marked + openingMs(work), attempt.leasedUntil);
  let isHeldBack = false;
  const beforeSend = (): boolean => {
    isHeldBack = clock.monotonic() > sendBy;
    return !isHeldBack;
  };
  return { call: { signal: work.cut, beforeSend }, wasHeldBack: () => isHeldBack };
}

/** How long after `inflight` was written a request may still begin; without limit where no lookup counts from there. */
function openingMs({ sink }: Workplace): number {
  if (sink.find === undefined && sink.confirm === undefined) return Number.POSITIVE_INFINITY;
  const margin = Math.max(sink.killTimeMs / 5, 20);
  return Math.max(margin - 1_000, margin / 2);
}

function updateReason(content: TicketContent): Done {
  const last = content.notes.findLast((note) => note.kind === "resolved" || note.kind === "reopened");
  if (last?.kind === "resolved" && content.incident.state === "resolved") return "ticket_resolved";
  return last?.kind === "reopened" ? "ticket_reopened" : "ticket_updated";
}
