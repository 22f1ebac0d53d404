import type { DeliveryQueue, DeliveryRow, IncidentReader, TicketContent } from "@winnow/ports";

/** What deliveries read and write. */
export type DeliveryStore = DeliveryQueue & Pick<IncidentReader, "incident" | "members" | "timeline" | "deliveriesOf">;

/** Everything that a ticket should show now. */
export interface DeliveryContent {
  readonly content: TicketContent;
  /** Timeline seq that `content` goes up to. */
  readonly newestSeq: number;
  /** There are further lines that one update could not take. */
  readonly hasMoreNotes: boolean;
}

const membersShown = 50;
const notesPerUpdate = 100;

/** Null: the incident is not in the store. */
export async function readContent(
  row: DeliveryRow,
  from: { readonly store: DeliveryStore; readonly deploymentId: string; readonly publicUrl: string },
): Promise<DeliveryContent | null> {
  const { store, deploymentId, publicUrl } = from;
  const incident = await store.incident(row.incident_id);
  if (incident === null) return null;
  const members = await store.members(row.incident_id, { limit: membersShown });
  const lines = await store.timeline(row.incident_id, row.applied_seq, notesPerUpdate);
  const content: TicketContent = {
    key: `winnow:${deploymentId}:${row.incident_id}:${row.destination}:${row.generation}`,
    incident: incident.snapshot,
    members: members.items,
    notes: lines.filter((line) => line.kind !== "delivery"),
    url: `${publicUrl}/v1/incidents/${row.incident_id}`,
    predecessor: row.generation > 1 ? await predecessorOf(row, store) : null,
  };
  return { content, newestSeq: lines.at(-1)?.seq ?? row.applied_seq, hasMoreNotes: lines.length === notesPerUpdate };
}

async function predecessorOf(row: DeliveryRow, store: DeliveryStore): Promise<string | null> {
  const all = await store.deliveriesOf([row.incident_id]);
  const before = all.find((one) => one.destination === row.destination && one.generation === row.generation - 1);
  return before?.remote_id ?? null;
}
