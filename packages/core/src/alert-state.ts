import type {
  AlertEvent,
  AlertFacts,
  AlertFlags,
  AlertStatus,
  Episode,
  ResolveReason,
  Severity,
} from "@winnow/contracts";

/** What A keeps per fingerprint: small, since every repeat rewrites it. */
export interface AlertState {
  readonly status: AlertStatus;
  readonly episode: Episode;
  /** The sender named the episode, so that a late message can be told by its id. */
  readonly episodeNamed: boolean;
  readonly severity: Severity;
  /** Firing reports since first seen. */
  readonly count: number;
  readonly first: number;
  readonly last: number;
  /** Source time of the newest accepted message, or its receipt time. */
  readonly sourceTime: number;
  readonly expires: number | null;
  /** While stale: when to look again whether its integration delivers. */
  readonly nextStaleCheck: number | null;
  readonly flags: AlertFlags;
  readonly ended: number | null;
  readonly resolveReason: ResolveReason | null;
  readonly integration: string;
  /** The resolve came before any fire. */
  readonly neverFired: boolean;
}

/** What A keeps per fingerprint beside the state: written only when something that matters changed. */
export interface AlertDetail {
  readonly facts: AlertFacts;
  readonly severitySource: string | null;
}

/** What ticks brought: facts of the whole process that time-outs depend on. */
export interface PartitionFacts {
  readonly readySince: number;
  readonly delivered: Readonly<Record<string, number>>;
}

export const alertKey = (fingerprint: string): string => `a:${fingerprint}`;
export const detailKey = (fingerprint: string): string => `d:${fingerprint}`;
export const factsKey = "x:facts";

/** The part of an event that rules may look at. */
export function factsOf(event: AlertEvent): AlertFacts {
  const facts: { -readonly [Key in keyof AlertFacts]: AlertFacts[Key] } = {
    tenant: event.tenant,
    scope: event.scope,
    source: event.source,
    integration: event.integration,
    fingerprint: event.fingerprint,
    severity: event.severity,
    title: event.title,
    dedup_key: event.dedup_key,
    identity: event.identity,
    labels: event.labels,
    annotations: event.annotations,
    links: event.links,
  };
  if (event.description !== undefined) facts.description = event.description;
  if (event.group_key !== undefined) facts.group_key = event.group_key;
  if (event.service !== undefined) facts.service = event.service;
  if (event.environment !== undefined) facts.environment = event.environment;
  if (event.host !== undefined) facts.host = event.host;
  if (event.component !== undefined) facts.component = event.component;
  if (event.class !== undefined) facts.class = event.class;
  if (event.resource !== undefined) facts.resource = event.resource;
  if (event.hints !== undefined) facts.hints = event.hints;
  return facts;
}
