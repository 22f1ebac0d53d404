import type { CommitMeta, DeadLetterChange, DeliveryWish, IncidentRow, RecordBatch } from "@winnow/ports";

/** The columns of an incident, in the order of the upsert: texts and numbers only. */
export type IncidentTuple = readonly [
  incident_id: string,
  tenant: string,
  number: number,
  state: string,
  priority: string,
  opened_ms: number,
  search: string,
  destinations: string,
  action_ids: string,
  snapshot: string,
];

/**
 * A batch as columns of texts. Copying objects to the thread that writes them costs more than writing them as JSON here,
 * and that thread would have to write the same JSON.
 */
export interface PackedBatch {
  readonly incidents: readonly IncidentTuple[];
  readonly members: {
    readonly incidents: string[];
    readonly fingerprints: string[];
    readonly episodes: string[];
    readonly joined: number[];
    readonly bodies: string[];
  };
  readonly timeline: { readonly incidents: string[]; readonly bodies: string[] };
  readonly wishes: readonly DeliveryWish[];
  readonly dead_letters: readonly PackedDeadLetter[];
}

export type PackedDeadLetter =
  | DeadLetterChange
  | { readonly id: string; readonly received_ms: number; readonly note: string };

export interface PackedRecordCommit {
  readonly position: number;
  readonly meta: string;
  readonly batch: PackedBatch;
}

export function packCommit(commit: { readonly meta: CommitMeta; readonly batch: RecordBatch }): PackedRecordCommit {
  return { position: commit.meta.position, meta: JSON.stringify(commit.meta), batch: packBatch(commit.batch) };
}

function packBatch(batch: RecordBatch): PackedBatch {
  const { members, timeline } = batch;
  return {
    incidents: batch.incidents.map(packIncident),
    members: {
      incidents: members.map(({ incident_id }) => incident_id),
      fingerprints: members.map(({ member }) => member.fingerprint),
      episodes: members.map(({ member }) => member.episode.id),
      joined: members.map(({ member }) => member.joined_ms),
      bodies: members.map(({ member }) => JSON.stringify(member)),
    },
    timeline: {
      incidents: timeline.map(({ incident_id }) => incident_id),
      bodies: timeline.map(({ row: { seq: _counted, ...entry } }) => JSON.stringify(entry)),
    },
    wishes: batch.wishes,
    dead_letters: batch.dead_letters.map((step) =>
      "state" in step ? step : { id: step.id, received_ms: step.received_ms, note: JSON.stringify(step) },
    ),
  };
}

function packIncident({ snapshot, destinations, action_ids }: IncidentRow): IncidentTuple {
  return [
    snapshot.incident_id,
    snapshot.tenant,
    snapshot.number,
    snapshot.state,
    snapshot.priority,
    snapshot.opened_ms,
    searchText(snapshot),
    JSON.stringify(destinations),
    JSON.stringify(action_ids),
    JSON.stringify(snapshot),
  ];
}

/** What `q` looks through, in lower case. */
function searchText({ title, service, group_key, number }: IncidentRow["snapshot"]): string {
  const parts = [title, service ?? "", ...group_key.map(({ k, v }) => `${k}=${v}`), String(number)];
  return parts.join("\n").toLowerCase();
}
