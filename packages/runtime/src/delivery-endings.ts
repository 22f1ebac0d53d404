import type { DeliveryUpdate, RemoteTicket, SinkResult } from "@winnow/ports";
import { type Attempt, type Lease, line, type Workplace } from "./delivery-attempt.ts";

const backoffMsMin = 1_000;
const backoffMsMax = 300_000;
/** What was lost is looked up soon: after eight seconds at the latest for the first time. */
const lostDoublingsMax = 3;
const authPauseMs = 60_000;

/** What a request did, in the words of the timeline. */
export type Done = "ticket_created" | "ticket_updated" | "ticket_resolved" | "ticket_reopened";

type Refusal = Extract<SinkResult<never>, { kind: "refused" }>;

interface Said {
  readonly code: string;
  readonly message: string;
}

/** A writing request has ended, one way or another. */
export async function ended(
  work: Workplace,
  attempt: Attempt,
  end: { readonly result: SinkResult<RemoteTicket>; readonly done: Done; readonly wasHeldBack: boolean },
): Promise<void> {
  const { result, done, wasHeldBack } = end;
  work.deps.report.attempt(work.settings.name, result.kind);
  switch (result.kind) {
    case "done":
      return applied(work, attempt, { remote: result.value, done });
    case "refused":
      return wasHeldBack ? heldBack(work, attempt, result) : refused(work, attempt, result);
    case "gone":
      return succeeded(work, attempt, result);
    case "unknown":
      return lost(work, attempt, result);
  }
}

/** The ticket stands, by this attempt or (`ticket_adopted`) by one whose end was unknown. */
export async function applied(
  work: Workplace,
  attempt: Attempt,
  end: { readonly remote: RemoteTicket; readonly done: Done | "ticket_adopted" },
): Promise<void> {
  const { row, content } = attempt;
  const { remote, done } = end;
  const created = done === "ticket_created" || done === "ticket_adopted";
  // A new ticket is open: what has happened to the incident since must still be told, as must notes that found no room.
  const isCurrent = !created || (content.incident.state === "new" && done === "ticket_created");
  const complete = isCurrent && !attempt.hasMoreNotes;
  const version = done === "ticket_adopted" ? (row.sent_version ?? 0) : content.incident.version;
  const seq = done === "ticket_adopted" ? (row.sent_seq ?? 0) : attempt.newestSeq;
  await settle(work, attempt, {
    delivery_state: "idle",
    applied_version: complete ? version : behindWish(attempt, version),
    applied_seq: seq,
    remote_id: remote.remote_id,
    remote_url: remote.remote_url,
    attempts: 0,
    due_ms: null,
    last_error: null,
    timeline: line(work, done, { ticket: remote.remote_id }),
  });
  if (created) work.deps.report.ticketed(work.settings.name, work.deps.clock.now() - content.incident.opened_ms);
}

/** The vendor definitely did not do it. */
async function refused(work: Workplace, attempt: Attempt, result: Refusal): Promise<void> {
  const { row } = attempt;
  const { code, message } = result;
  if (result.retry === "never") {
    await settle(work, attempt, {
      delivery_state: "dead",
      attempts: row.attempts + 1,
      due_ms: null,
      last_error: { code, message },
      timeline: line(work, "delivery_failed", { code, message }),
    });
    return;
  }
  const pause = result.retry === "auth" ? authPauseMs : (result.retryAfterMs ?? 0);
  if (pause > 0) work.pause(pause);
  const ms = Math.max(pause, backoffMs(work, row.attempts));
  await postponed(work, attempt, { ms, error: { code, message }, attempts: row.attempts + 1 });
}

/** It was too late for our own lease: that says nothing of the vendor, and another lease is soon to be had. */
async function heldBack(work: Workplace, attempt: Attempt, { code, message }: Said): Promise<void> {
  await postponed(work, attempt, { ms: backoffMs(work, 0), error: { code, message }, attempts: attempt.row.attempts });
}

/** Nothing was sent or applied; it is tried again in `ms`. */
export async function postponed(
  work: Workplace,
  attempt: Attempt,
  to: { readonly ms: number; readonly attempts: number; readonly error: Said },
): Promise<void> {
  const now = await work.deps.store.storeNow();
  await settle(work, attempt, {
    delivery_state: "due",
    attempts: to.attempts,
    due_ms: now + Math.ceil(to.ms),
    last_error: to.error,
  });
}

/** The remote ticket is closed for good: this generation ends, a linked successor begins. */
export async function succeeded(work: Workplace, attempt: Attempt, { code, message }: Said): Promise<void> {
  await settle(work, attempt, {
    delivery_state: "idle",
    applied_version: attempt.row.desired_version,
    due_ms: null,
    last_error: { code, message },
    successor: true,
    timeline: line(work, "ticket_succeeded", { ticket: attempt.row.remote_id ?? "" }),
  });
}

async function lost(work: Workplace, attempt: Attempt, { code, message }: Said): Promise<void> {
  const now = await work.deps.store.storeNow();
  const { attempts } = attempt.row;
  await settle(work, attempt, {
    delivery_state: "unknown",
    attempts: attempts + 1,
    due_ms: now + Math.round(backoffMs(work, Math.min(attempts, lostDoublingsMax))),
    last_error: { code, message },
    timeline: line(work, "delivery_unknown", { code }),
  });
}

export async function settle(work: Workplace, { row, token }: Lease, update: DeliveryUpdate): Promise<void> {
  if (!(await work.deps.store.settle(row, token, update))) leaseLost(work);
}

export function leaseLost(work: Workplace): void {
  work.deps.report.attempt(work.settings.name, "lost_lease");
}

/** 1 s, doubled per attempt up to 5 min, of which the second half is random. */
export function backoffMs(work: Workplace, attempts: number): number {
  const ceiling = Math.min(backoffMsMax, backoffMsMin * 2 ** Math.min(attempts, 20));
  return ceiling / 2 + (work.deps.random() * ceiling) / 2;
}

/**
 * The applied version of a ticket that does not show everything yet: below what was wished, so that it is due again.
 * The incident may be newer than any wish, since not every change of it is worth an update.
 */
export function behindWish({ row }: Attempt, version: number): number {
  return Math.max(0, Math.min(version, row.desired_version) - 1);
}
