import { type Static, Type } from "typebox";
import {
  AlertAction,
  AlertStatus,
  EpochMs,
  EventKind,
  KeyPart,
  Level,
  Priority,
  ResolveReason,
  Severity,
  TimeQuality,
} from "./vocabulary.ts";

const closed = { additionalProperties: false } as const;

/** Tri-state facts that are not the state of the alert: absent means "not said". */
export const AlertFlags = Type.Partial(
  Type.Object({
    acknowledged: Type.Boolean(),
    suppressed: Type.Boolean(),
    flapping: Type.Boolean(),
    no_data: Type.Boolean(),
    maintenance: Type.Boolean(),
    dependent: Type.Boolean(),
    stale: Type.Boolean(),
  }),
  closed,
);
export type AlertFlags = Static<typeof AlertFlags>;

export const AlertLink = Type.Object(
  {
    href: Type.String({ maxLength: 2048 }),
    text: Type.Optional(Type.String({ maxLength: 255 })),
    rel: Type.Enum(["alert", "dashboard", "runbook", "silence", "graph", "log"]),
  },
  closed,
);
export type AlertLink = Static<typeof AlertLink>;

export const AlertMetric = Type.Partial(
  Type.Object({
    name: Type.String(),
    value: Type.Number(),
    value_text: Type.String(),
    threshold: Type.Number(),
    operator: Type.String(),
    unit: Type.String(),
    query: Type.String(),
  }),
  closed,
);
export type AlertMetric = Static<typeof AlertMetric>;

export const MappingWarning = Type.Object({ code: Type.String(), path: Type.String(), message: Type.String() }, closed);
/** Something that was read with a doubt: the 202 answer and the stored event both carry it. */
export type MappingWarning = Static<typeof MappingWarning>;

/** Labels may repeat in several tools (Datadog, Zabbix tags), hence lists. */
export const Labels = Type.Record(Type.String(), Type.Array(Type.String()));
export type Labels = Static<typeof Labels>;

/** What a source's normaliser yields for one item: everything that the sender said, nothing that we add. */
const draftFields = {
  kind: EventKind,
  action: AlertAction,
  status: AlertStatus,
  flags: Type.Optional(AlertFlags),
  resolve_reason: Type.Optional(ResolveReason),
  severity: Severity,
  /** OpenTelemetry log scale, 1 to 24. */
  severity_number: Type.Optional(Type.Integer({ minimum: 1, maximum: 24 })),
  /** The sender's own word. */
  severity_source: Type.Optional(Type.String({ maxLength: 255 })),
  title: Type.String({ maxLength: 1024 }),
  description: Type.Optional(Type.String({ maxLength: 32_768 })),
  /** What the fingerprint is made of. Never empty for kind `alert`. */
  identity: Type.Array(KeyPart),
  dedup_key: Type.String({ maxLength: 255 }),
  /** The sender's own id of this occurrence: it separates one episode from the next. */
  episode_id: Type.Optional(Type.String({ maxLength: 255 })),
  /** The sender's own grouping: a hint only. */
  group_key: Type.Optional(Type.String({ maxLength: 1024 })),
  rule: Type.Optional(
    Type.Partial(Type.Object({ id: Type.String(), name: Type.String(), url: Type.String() }), closed),
  ),
  service: Type.Optional(Type.String({ maxLength: 255 })),
  environment: Type.Optional(Type.String({ maxLength: 255 })),
  host: Type.Optional(Type.String({ maxLength: 255 })),
  component: Type.Optional(Type.String({ maxLength: 255 })),
  class: Type.Optional(Type.String({ maxLength: 255 })),
  resource: Type.Optional(Type.Record(Type.String(), Type.String())),
  metric: Type.Optional(AlertMetric),
  labels: Labels,
  annotations: Type.Record(Type.String(), Type.String()),
  links: Type.Array(AlertLink),
  /** When this transition happened at the source; absent = the source did not say. */
  occurred_ms: Type.Optional(EpochMs),
  started_ms: Type.Optional(EpochMs),
  ended_ms: Type.Optional(EpochMs),
  time_quality: TimeQuality,
  /** Dead-man time: past it, silence is suspicious. */
  expires_ms: Type.Optional(EpochMs),
  actor: Type.Optional(
    Type.Partial(Type.Object({ id: Type.String(), name: Type.String(), email: Type.String() }), closed),
  ),
  hints: Type.Optional(
    Type.Partial(
      Type.Object({
        impact: Level,
        urgency: Level,
        priority: Priority,
        category: Type.String(),
        assignment_group: Type.String(),
      }),
      closed,
    ),
  ),
} as const;

export const AlertDraft = Type.Object(draftFields, closed);
export type AlertDraft = Static<typeof AlertDraft>;

/** The normalised event, `winnow.alert/1`: a draft plus what the receiver adds. */
export const AlertEvent = Type.Object(
  {
    spec: Type.Literal("winnow.alert/1"),
    /** Same delivery, item and content give the same id: a redelivery is recognisable. */
    event_id: Type.String(),
    delivery_id: Type.String(),
    tenant: Type.String(),
    /** Partition key of correlation; the tenant unless the integration says finer. */
    scope: Type.String(),
    source: Type.String(),
    integration: Type.String(),
    /** 32 hex digits over tenant, integration and identity. */
    fingerprint: Type.String({ pattern: "^[0-9a-f]{32}$" }),
    received_ms: EpochMs,
    ...draftFields,
    /** Parser name and version, so that an event can be mapped again after a mend. */
    mapping: Type.Object({ parser: Type.String(), version: Type.Integer() }, closed),
  },
  closed,
);
export type AlertEvent = Static<typeof AlertEvent>;

/** The part of an alert that rules may look at; stored with each member so that explanations can be recomputed. */
export const AlertFacts = Type.Object(
  {
    tenant: Type.String(),
    scope: Type.String(),
    source: Type.String(),
    integration: Type.String(),
    fingerprint: Type.String(),
    severity: Severity,
    title: Type.String(),
    description: Type.Optional(Type.String()),
    dedup_key: Type.String(),
    identity: Type.Array(KeyPart),
    group_key: Type.Optional(Type.String()),
    service: Type.Optional(Type.String()),
    environment: Type.Optional(Type.String()),
    host: Type.Optional(Type.String()),
    component: Type.Optional(Type.String()),
    class: Type.Optional(Type.String()),
    resource: Type.Optional(Type.Record(Type.String(), Type.String())),
    labels: Labels,
    annotations: Type.Record(Type.String(), Type.String()),
    links: Type.Array(AlertLink),
    hints: draftFields.hints,
  },
  closed,
);
export type AlertFacts = Static<typeof AlertFacts>;
