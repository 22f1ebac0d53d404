import { outcomes, priorities } from "@winnow/contracts";

interface Definition {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels: readonly LabelName[];
}

/** Label values known when the program is written. */
export const closedLabels = {
  outcome: outcomes,
  priority: priorities,
  stage: ["A", "B", "C"],
  why: ["fenced", "position"],
  result: ["done", "refused", "unknown", "gone", "lost_lease", "dry_run"],
  state: [
    "new",
    "acknowledged",
    "diagnosing",
    "mitigated",
    "resolved",
    "closed",
    "reviewed",
    "idle",
    "due",
    "inflight",
    "unknown",
    "parked",
    "dead",
  ],
} as const satisfies Record<string, readonly string[]>;

/** Label values that the configuration or a service knows: each set is given with `Metrics.allow`. */
export const configuredLabels = ["integration", "reason", "destination", "partition", "limit"] as const;

export type ConfiguredLabel = (typeof configuredLabels)[number];
export type LabelName = keyof typeof closedLabels | ConfiguredLabel;

/** Every metric of Winnow. Dashboards and alert rules name these: a change is a breaking one. */
export const metricDefinitions = {
  winnow_events_received_total: {
    kind: "counter",
    help: "Items that senders delivered, good and bad",
    labels: ["integration"],
  },
  winnow_events_accepted_total: {
    kind: "counter",
    help: "Alert events that are durable and acknowledged",
    labels: ["integration"],
  },
  winnow_events_rejected_total: {
    kind: "counter",
    help: "Requests refused and items kept as dead letters, by reason",
    labels: ["integration", "reason"],
  },
  winnow_delivery_attempts_total: {
    kind: "counter",
    help: "Attempts to bring a ticket to its desired state, by how they ended",
    labels: ["destination", "result"],
  },
  winnow_ticket_twins_total: {
    kind: "counter",
    help: "Tickets found to carry the key of another one",
    labels: ["destination"],
  },
  winnow_events_settled_total: {
    kind: "counter",
    help: "Accepted events by the outcome they ended in",
    labels: ["outcome"],
  },
  winnow_events_in_flight: { kind: "gauge", help: "Accepted events without an outcome yet", labels: [] },
  winnow_ack_seconds: {
    kind: "histogram",
    help: "From the first byte of a delivery to its durable acknowledgement",
    labels: [],
  },
  winnow_post_to_ticket_seconds: {
    kind: "histogram",
    help: "From the receipt of an incident's first alert to its ticket",
    labels: [],
  },
  winnow_deliveries: { kind: "gauge", help: "Deliveries by state", labels: ["destination", "state"] },
  winnow_incidents: { kind: "gauge", help: "Incidents by state and priority", labels: ["state", "priority"] },
  winnow_log_lag_records: {
    kind: "gauge",
    help: "Durable records that a stage has not committed yet",
    labels: ["stage", "partition"],
  },
  winnow_spool_records: {
    kind: "gauge",
    help: "Records that a receiver keeps until the shared log has taken them",
    labels: [],
  },
  winnow_spool_oldest_seconds: {
    kind: "gauge",
    help: "Age of the oldest of them, 0 when there is none",
    labels: [],
  },
  winnow_shipped_records_total: {
    kind: "counter",
    help: "Records that the shared log has taken from this receiver, repetitions included",
    labels: [],
  },
  winnow_config_last_reload_successful: {
    kind: "gauge",
    help: "1 when the last reload of the configuration was taken, 0 when it was refused",
    labels: [],
  },
  winnow_scrape_failures_total: {
    kind: "counter",
    help: "Parts of this page that a store did not answer for; they show their last values",
    labels: [],
  },
  winnow_checkpoints_total: {
    kind: "counter",
    help: "Checkpoints of partitions' states saved in the incident store",
    labels: ["stage"],
  },
  winnow_checkpoint_failures_total: {
    kind: "counter",
    help: "Checkpoints that could not be saved or found; they are tried again",
    labels: ["stage"],
  },
  winnow_claims_lost_total: {
    kind: "counter",
    help: "Claims of partitions that ended without our doing: another owner came, or the store stood elsewhere",
    labels: ["stage", "why"],
  },
  winnow_kafka_reachable: { kind: "gauge", help: "0 while the last request to Kafka found no answer", labels: [] },
  winnow_kafka_late_requests_total: {
    kind: "counter",
    help: "Requests, fetches too, that Kafka did not answer in time; each cut its connection and was made again",
    labels: [],
  },
  winnow_kafka_lost_connections_total: {
    kind: "counter",
    help: "Connections to Kafka that broke while an answer was awaited",
    labels: [],
  },
  winnow_kafka_write_failures_total: { kind: "counter", help: "Appends that Kafka did not take", labels: [] },
  winnow_limit_hits_total: { kind: "counter", help: "How often a named limit was met", labels: ["limit"] },
} as const satisfies Record<string, Definition>;

type Definitions = typeof metricDefinitions;
export type MetricName = keyof Definitions;
type OfKind<Kind extends Definition["kind"]> = {
  [Name in MetricName]: Definitions[Name]["kind"] extends Kind ? Name : never;
}[MetricName];
export type CounterName = OfKind<"counter">;
export type GaugeName = OfKind<"gauge">;
export type HistogramName = OfKind<"histogram">;

/** The labels that a metric has, each with its value. */
export type LabelsOf<Name extends MetricName> = Readonly<Record<Definitions[Name]["labels"][number], string>>;

/** Upper bounds in seconds: acknowledgements live at the low end, tickets at the high end. */
export const histogramBuckets: Readonly<Record<HistogramName, readonly number[]>> = {
  winnow_ack_seconds: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  winnow_post_to_ticket_seconds: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600],
};
