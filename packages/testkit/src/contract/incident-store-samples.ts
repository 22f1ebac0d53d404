import { type IncidentMember, type IncidentSnapshot, reason, type TimelineEntry } from "@winnow/contracts";
import type {
  CommitMeta,
  DeliveryKey,
  DeliveryRow,
  DeliveryWish,
  IncidentRow,
  IncidentStore,
  RecordBatch,
} from "@winnow/ports";

/** The time at which all samples happen, unless told otherwise. */
export const sampleMs = 1_700_000_000_000;

export function metaAt(position: number): CommitMeta {
  return {
    position,
    log_id: "0123456789abcdef",
    clock_ms: sampleMs + position,
    rule_generation: 3,
    rule_digest: "d".repeat(64),
    engine_version: 2,
    marks: { "B.0": [position, 0, 1], "B.3": [position, -1, 0] },
    published: {},
    outcomes: { dead_letter: position },
    seen: 0,
    passed: 0,
    settled: 0,
  };
}

export function snapshot(id: string, more: Partial<IncidentSnapshot> = {}): IncidentSnapshot {
  return {
    incident_id: id,
    number: 1,
    tenant: "default",
    scope: "default",
    version: 1,
    state: "new",
    released: true,
    self_healed: false,
    rule: { id: "per-service", digest: "d".repeat(64) },
    rule_generation: 3,
    rule_set_digest: "d".repeat(64),
    group_key: [{ k: "service", v: "checkout" }],
    title: "checkout: latency",
    description: "",
    category: null,
    service: "checkout",
    environment: "prod",
    assignment_group: null,
    contact: null,
    severity: "critical",
    impact: "high",
    urgency: "high",
    priority: "P1",
    priority_inputs: {
      impact: "high",
      impact_from: "rule",
      urgency: "high",
      urgency_from: "severity",
      severity: "critical",
      open_members: 1,
    },
    opened_ms: sampleMs,
    last_event_ms: sampleMs,
    acknowledged_ms: null,
    resolved_ms: null,
    member_count: 1,
    open_member_count: 1,
    event_count: 1,
    previous_id: null,
    ...more,
  };
}

export function incidentRow(id: string, more: Partial<IncidentSnapshot> = {}): IncidentRow {
  return { snapshot: snapshot(id, more), destinations: ["snow"], timeline_seq: 0, action_ids: [] };
}

export function member(fingerprint: string, more: Partial<IncidentMember> = {}): IncidentMember {
  return {
    fingerprint,
    episode: { id: "e1", started_ms: sampleMs },
    status: "firing",
    severity: "critical",
    joined_ms: sampleMs,
    resolved_ms: null,
    alert: {
      tenant: "default",
      scope: "default",
      source: "alertmanager",
      integration: "am",
      fingerprint,
      severity: "critical",
      title: "Latency",
      dedup_key: fingerprint,
      identity: [{ k: "alertname", v: "Latency" }],
      labels: { team: ["Grüße", "警报"] },
      annotations: {},
      links: [],
    },
    reason: reason("episode_opened"),
    ...more,
  };
}

export function entry(text: string): TimelineEntry {
  return { kind: "noted", at_ms: sampleMs, actor: "ada", text, reason: reason("episode_opened", { n: 1 }) };
}

export function wish(id: string, more: Partial<DeliveryWish> = {}): DeliveryWish {
  return {
    incident_id: id,
    destination: "snow",
    desired_version: 1,
    priority: "P1",
    urgent: false,
    at_ms: sampleMs,
    ...more,
  };
}

const emptyBatch: RecordBatch = {
  incidents: [],
  members: [],
  timeline: [],
  wishes: [],
  dead_letters: [],
};

export function batch(more: Partial<RecordBatch>): RecordBatch {
  return { ...emptyBatch, ...more };
}

/** Stage C of one partition: commits batches one after another. */
export class Recorder {
  readonly #store: IncidentStore;
  readonly #partition: number;
  #position = 0;

  constructor(store: IncidentStore, partition = 0) {
    this.#store = store;
    this.#partition = partition;
  }

  async claim(): Promise<this> {
    await this.#store.claim(this.#partition, "recorder");
    return this;
  }

  async commit(more: Partial<RecordBatch>): Promise<void> {
    const next = this.#position + 1;
    const commit = { meta: metaAt(next), batch: batch(more) };
    const result = await this.#store.commit(this.#partition, "recorder", this.#position, commit);
    if (!("committed" in result)) throw new Error(`refused: ${result.refused}`);
    this.#position = next;
  }
}

export function keyOf({ incident_id, destination, generation }: DeliveryRow): DeliveryKey {
  return { incident_id, destination, generation };
}
