import type { SinkResult } from "@winnow/ports";
import { type Attempt, reading, remoteOf, type Workplace } from "./delivery-attempt.ts";
import { applied, backoffMs, behindWish, settle, succeeded } from "./delivery-endings.ts";
import { create, update } from "./delivery-requests.ts";

/** A lookup sends nothing: it is asked again after half a minute at the latest, unless the vendor says later. */
const lookupDoublingsMax = 5;

/** The reply was lost: what a lookup shows decides, and a negative answer counts only once the vendor must be done. */
export async function resolveUnknown(work: Workplace, attempt: Attempt): Promise<void> {
  if (attempt.row.remote_id !== null) return confirm(work, attempt);
  if (work.sink.class === "A" || work.sink.find === undefined) return create(work, attempt);
  return lookUp(work, attempt, attempt.row.sent_ms ?? 0);
}

/** Adopts the ticket that has our key; creates one where none has, and none can come any more from before `since`. */
export async function lookUp(work: Workplace, attempt: Attempt, since: number): Promise<void> {
  const { sink, deps, settings } = work;
  const asked = await deps.store.storeNow();
  const result = await sink.find?.(attempt.content.key, reading(work));
  if (result === undefined) return create(work, attempt);
  if (result.kind !== "done") return stillUnknown(work, attempt, result);
  if (result.value !== null) {
    if (result.value.twins.length > 0) deps.report.twins(settings.name, result.value.twins.length);
    return applied(work, attempt, { remote: result.value, done: "ticket_adopted" });
  }
  const counts = since + sink.killTimeMs + (sink.class === "D" ? sink.settleMs : 0);
  if (asked > counts) return create(work, attempt);
  await settle(work, attempt, { delivery_state: "unknown", due_ms: counts + 1 });
}

/** An update with a lost reply: applied, or not applied and the vendor must be done with it. */
async function confirm(work: Workplace, attempt: Attempt): Promise<void> {
  const { row, content } = attempt;
  const { sink, deps } = work;
  const remote = remoteOf(row);
  if (sink.confirm === undefined) return applied(work, attempt, { remote, done: "ticket_updated" });
  const asked = await deps.store.storeNow();
  const sentSeq = row.sent_seq ?? row.applied_seq;
  const notes = content.notes.filter((note) => note.seq <= sentSeq);
  const result = await sink.confirm(remote, { ...content, notes }, reading(work));
  if (result.kind === "gone") return succeeded(work, attempt, result);
  if (result.kind !== "done") return stillUnknown(work, attempt, result);
  const counts = (row.sent_ms ?? 0) + sink.killTimeMs;
  // Without a note of its own nothing shows that this very update is through: it may still come, over a later one.
  const isThrough = result.value && (notes.length > 0 || asked > counts);
  if (isThrough) {
    const version = row.sent_version ?? row.applied_version;
    const complete = !attempt.hasMoreNotes && notes.length === content.notes.length;
    return settle(work, attempt, {
      delivery_state: "idle",
      applied_version: complete ? version : behindWish(attempt, version),
      applied_seq: sentSeq,
      attempts: 0,
      due_ms: null,
      last_error: null,
    });
  }
  if (asked > counts) return update(work, attempt);
  await settle(work, attempt, { delivery_state: "unknown", due_ms: counts + 1 });
}

async function stillUnknown(
  work: Workplace,
  attempt: Attempt,
  result: Exclude<SinkResult<unknown>, { kind: "done" }>,
): Promise<void> {
  const { attempts } = attempt.row;
  const pause = result.kind === "refused" ? (result.retryAfterMs ?? 0) : 0;
  const wait = backoffMs(work, Math.min(attempts, lookupDoublingsMax));
  const now = await work.deps.store.storeNow();
  await settle(work, attempt, {
    delivery_state: "unknown",
    attempts: attempts + 1,
    due_ms: now + Math.round(Math.max(pause, wait)),
    last_error: { code: result.code, message: result.message },
  });
}
