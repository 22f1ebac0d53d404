import { type Attempt, type Lease, line, type Workplace } from "./delivery-attempt.ts";
import { readContent } from "./delivery-content.ts";
import { settle } from "./delivery-endings.ts";
import { lookUp, resolveUnknown } from "./delivery-lookups.ts";
import { create, update } from "./delivery-requests.ts";

/** One step of a leased delivery towards its desired state: a lookup, a create, an update, or a dry run. */
export async function deliver(work: Workplace, lease: Lease): Promise<void> {
  const { settings, sink, deps } = work;
  const { row } = lease;
  const attempt = await prepared(work, lease);
  if (attempt === null) return;
  if (settings.mode === "dry_run") return dryRun(work, attempt);
  if (row.delivery_state === "unknown") return resolveUnknown(work, attempt);
  if (row.remote_id !== null) return update(work, attempt);
  const epoch = await deps.store.epoch();
  if (epoch !== null && sink.find !== undefined) return lookUp(work, attempt, epoch);
  return create(work, attempt);
}

/** Null: the incident is not there, which ends the delivery. */
async function prepared(work: Workplace, lease: Lease): Promise<Attempt | null> {
  const { store, deploymentId, publicUrl } = work.deps;
  const read = await readContent(lease.row, { store, deploymentId, publicUrl: publicUrl() });
  if (read !== null) return { ...lease, ...read };
  await settle(work, lease, {
    delivery_state: "dead",
    last_error: { code: "incident_missing", message: "the incident is not in the store" },
  });
  return null;
}

async function dryRun(work: Workplace, attempt: Attempt): Promise<void> {
  const { row } = attempt;
  work.deps.report.attempt(work.settings.name, "dry_run");
  await settle(work, attempt, {
    delivery_state: "parked",
    due_ms: null,
    last_error: {
      code: "dry_run",
      message: `would ${row.remote_id === null ? "create" : "update"} a ticket`,
    },
    ...(row.last_error?.code === "dry_run" ? {} : { timeline: line(work, "dry_run") }),
  });
}
