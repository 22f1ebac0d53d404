import type {
  DeadLetterNote,
  DeadLetterState,
  DeliveryState,
  IncidentLifecycle,
  IncidentMember,
  IncidentSnapshot,
  Priority,
  TimelineEntry,
} from "@winnow/contracts";
import type { Claim, CommitMeta, CommitResult, Refusal } from "./window-store.ts";

/** What C keeps of an incident. */
export interface IncidentRow {
  readonly snapshot: IncidentSnapshot;
  /** Destinations that the route tree has chosen so far; never shrinks. */
  readonly destinations: readonly string[];
  /**
   * Number of the last timeline row, as the store counts them. Ignored when written: the router adds rows too, so the
   * store alone numbers a timeline.
   */
  readonly timeline_seq: number;
  /** Ids of the actions applied last, newest last, at most 50. */
  readonly action_ids: readonly string[];
}

export interface TimelineRowStored extends TimelineEntry {
  /** 1, 2, 3 … within the incident, given by the store: rows of a commit are appended in the order given, whatever they say here. */
  readonly seq: number;
}

/**
 * C's wish for one destination: `desired_version` is the incident version that the ticket should show.
 * The first wish makes generation 1, due at `at_ms`. A later one raises `desired_version` and sets the priority of the
 * newest generation; an idle one becomes due at `at_ms` when urgent, else after the store's coalescing time (15 s); a
 * waiting one may come due earlier by it, but never before the time its last attempt was put off to; one under way
 * becomes due again when it settles; parked and dead ones wait for `requeue`.
 */
export interface DeliveryWish {
  readonly incident_id: string;
  readonly destination: string;
  readonly desired_version: number;
  readonly priority: Priority;
  /** Severity rise, acknowledge and resolve go out at once; the rest may be coalesced. */
  readonly urgent: boolean;
  readonly at_ms: number;
}

export interface DeadLetterChange {
  readonly id: string;
  readonly state: DeadLetterState;
}

/**
 * All that C changes in one commit, in one transaction with its position and marks. Timeline rows, members and wishes
 * are of incidents that are stored or in the same batch. Dead letters and what people decided about them take effect in
 * the order given, so that it does not matter where commits fall; each `retried` counts as an attempt, a note that comes
 * again makes its dead letter wait again, and a change of an unknown dead letter does nothing.
 */
export interface RecordBatch {
  readonly incidents: readonly IncidentRow[];
  readonly members: readonly { readonly incident_id: string; readonly member: IncidentMember }[];
  readonly timeline: readonly { readonly incident_id: string; readonly row: TimelineRowStored }[];
  readonly wishes: readonly DeliveryWish[];
  readonly dead_letters: readonly (DeadLetterNote | DeadLetterChange)[];
}

export interface DeliveryRow {
  readonly incident_id: string;
  readonly destination: string;
  /** Rises only when a ticket that is closed for good forces a new one. */
  readonly generation: number;
  readonly delivery_state: DeliveryState;
  readonly desired_version: number;
  readonly applied_version: number;
  /** Highest timeline seq that the ticket shows. */
  readonly applied_seq: number;
  readonly remote_id: string | null;
  readonly remote_url: string | null;
  readonly attempts: number;
  readonly due_ms: number | null;
  /** Store clock when `inflight` was written for the operation under way (or unknown). */
  readonly sent_ms: number | null;
  /** Version and seq that the operation under way carries. */
  readonly sent_version: number | null;
  readonly sent_seq: number | null;
  readonly priority: Priority;
  readonly lease_token: string | null;
  readonly lease_until_ms: number | null;
  readonly last_error: { readonly code: string; readonly message: string } | null;
}

export type DeliveryKey = Pick<DeliveryRow, "incident_id" | "destination" | "generation">;

/** How an attempt ended, written by the router under its lease token. */
export interface DeliveryUpdate {
  readonly delivery_state: DeliveryState;
  readonly applied_version?: number;
  readonly applied_seq?: number;
  readonly remote_id?: string | null;
  readonly remote_url?: string | null;
  readonly attempts?: number;
  readonly due_ms?: number | null;
  readonly last_error?: { readonly code: string; readonly message: string } | null;
  /** A line for the incident's timeline, in the same transaction (its seq is given by the store). */
  readonly timeline?: TimelineEntry;
  /** Start a successor generation (remote ticket closed for good), due at once. */
  readonly successor?: boolean;
}

export interface IncidentFilter {
  readonly states?: readonly IncidentLifecycle[];
  readonly priorities?: readonly Priority[];
  /** Words that must all appear in title, service, group key or number. */
  readonly q?: string;
  readonly limit: number;
  /** From the page before; opaque to callers. One that the store did not make yields an empty last page. */
  readonly cursor?: string;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly next_cursor: string | null;
}

export interface StoredRuleSet {
  readonly digest: string;
  /** Canonical JSON of the checked RuleSet. */
  readonly text: string;
  readonly stored_ms: number;
}

export interface Activation {
  readonly generation: number;
  readonly digest: string;
}

/** What stage C needs: fenced like the window store, rows in the same transaction as the position. */
export interface IncidentRecorder {
  claim(partition: number, token: string): Promise<Claim>;
  load(
    partition: number,
    token: string,
    position: number,
    ids: readonly string[],
  ): Promise<{ readonly rows: readonly IncidentRow[] } | Refusal>;
  commit(
    partition: number,
    token: string,
    previous: number,
    commit: { readonly meta: CommitMeta; readonly batch: RecordBatch },
  ): Promise<CommitResult>;
  verify(partition: number, token: string, position: number): Promise<boolean>;
}

/** What the router needs. Every write is conditional on the lease token. */
export interface DeliveryQueue {
  /** The store's own clock, epoch ms: `sent_ms` and leases are written and judged by it. */
  storeNow(): Promise<number>;
  /**
   * Leases up to `limit` deliveries of `destination` that are due at the store's clock and not leased,
   * P1 first, then oldest due; at most one per incident.
   * An `inflight` row whose lease plus `killMs` is over comes back as `unknown`.
   */
  lease(
    destination: string,
    options: { readonly token: string; readonly leaseMs: number; readonly killMs: number; readonly limit: number },
  ): Promise<readonly DeliveryRow[]>;
  /**
   * Writes `inflight` with `sent_ms` = store clock, before the socket opens. Only from `due` and `unknown`.
   * Resolves with the stored `sent_ms`, or null when the lease is over or no longer ours: then send nothing.
   * `sent_ms` may be as early as the call: count the time until the socket opens from before it.
   */
  markInflight(
    key: DeliveryKey,
    token: string,
    sent: { readonly version: number; readonly seq: number },
  ): Promise<number | null>;
  /**
   * Ends the attempt and the lease. False when the lease is no longer ours: nothing was written. A lease that is over
   * but was not taken by another still counts, so that a late answer is kept.
   * `idle` below `desired_version` becomes due again at once (or when the newest wish asked); `due` and `unknown`
   * without `due_ms` are due now; `sent_*` stay while the end of an attempt is unknown. With `successor` the old
   * generation must end as idle, parked or dead.
   */
  settle(key: DeliveryKey, token: string, update: DeliveryUpdate): Promise<boolean>;
  /**
   * Embedded start, with the data directory locked: rows left `inflight` by the dead process become `unknown`, due now,
   * and all leases end. Resolves with the number of such rows.
   */
  recoverInflight(): Promise<number>;
  /**
   * The earliest time at which a `due` or `unknown` delivery of the destination can be leased, null for none. Rows in
   * flight are not counted: what a dead router left is found by leasing now and then.
   */
  nextDue(destination: string): Promise<number | null>;
  /**
   * Puts dead or parked deliveries of a destination back to due now with no attempts (after a configuration change);
   * `unknown` instead where the end of the last attempt is still unknown. Resolves with their number.
   */
  requeue(destination: string): Promise<number>;
  /** Restore epoch, from the fact `restore_epoch` (epoch ms as decimal text): while set, creates look up first. */
  epoch(): Promise<number | null>;
}

/** Reads for the API and the renderer of tickets. Pages come newest first and neither skip nor repeat under inserts. */
export interface IncidentReader {
  incident(id: string): Promise<IncidentRow | null>;
  incidents(filter: IncidentFilter): Promise<Page<IncidentRow>>;
  /** Newest joined first. */
  members(id: string, page: { readonly limit: number; readonly cursor?: string }): Promise<Page<IncidentMember>>;
  /** Rows with seq > after, in order. */
  timeline(id: string, after: number, limit: number): Promise<readonly TimelineRowStored[]>;
  /** All generations, in order of incident, destination, generation. */
  deliveriesOf(ids: readonly string[]): Promise<readonly DeliveryRow[]>;
  deliveries(filter: {
    readonly states?: readonly DeliveryState[];
    readonly destination?: string;
    readonly limit: number;
    readonly cursor?: string;
  }): Promise<Page<DeliveryRow>>;
  /** Newest incident of each fingerprint that has one. */
  incidentsOfAlerts(fingerprints: readonly string[]): Promise<ReadonlyMap<string, string>>;
  deadLetters(filter: {
    readonly states?: readonly DeadLetterState[];
    readonly limit: number;
    readonly cursor?: string;
  }): Promise<Page<DeadLetterRow>>;
  deadLetter(id: string): Promise<DeadLetterRow | null>;
  recordMetas(): Promise<readonly { partition: number; meta: CommitMeta | null }[]>;
  counts(): Promise<{
    readonly incidents: readonly {
      readonly state: IncidentLifecycle;
      readonly priority: Priority;
      readonly n: number;
    }[];
    readonly deliveries: readonly { readonly destination: string; readonly state: DeliveryState; readonly n: number }[];
  }>;
}

export interface DeadLetterRow extends DeadLetterNote {
  /** How often a person had it retried. */
  readonly attempts: number;
  readonly state: DeadLetterState;
}

/** Rule sets by digest and the activation that every partition must reach. One writer. */
export interface RuleSetStore {
  putRuleSet(set: StoredRuleSet): Promise<void>;
  ruleSet(digest: string): Promise<StoredRuleSet | null>;
  activation(): Promise<Activation | null>;
  /**
   * Stores generation = last + 1 with this digest, unless the last has it already; resolves with the one in force.
   * Rejects with `rule_set_missing` when the set is not stored.
   */
  activate(digest: string): Promise<Activation>;
}

/** Small facts of the installation: receiver id, deployment id, engine version, restore epoch. */
export interface FactStore {
  fact(name: string): Promise<string | null>;
  setFact(name: string, value: string): Promise<void>;
  /** Stores the fact unless it is known; resolves with the one that is stored. */
  keepFact(name: string, value: string): Promise<string>;
  /** All facts whose names begin so, by name. */
  factsUnder(prefix: string): Promise<Readonly<Record<string, string>>>;
}

export interface StoredToken {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  /** SHA-256 hex of the token. */
  readonly hash: string;
  readonly created_ms: number;
  readonly revoked_ms: number | null;
}

export interface TokenStore {
  tokens(): Promise<readonly StoredToken[]>;
  putToken(token: StoredToken): Promise<void>;
  revokeToken(id: string, at_ms: number): Promise<boolean>;
}

/** Lets old things go in small steps, so that no single call holds the store for long. */
export interface IncidentPruner {
  /**
   * Removes up to `limit` incidents that were resolved before `before_ms`, with members, timeline and deliveries, and as
   * many dead letters that somebody decided about before then. An incident with a delivery that is not settled stays.
   * Resolves with the number of incidents and dead letters removed; below `limit` there is nothing more to remove.
   */
  prune(before_ms: number, limit: number): Promise<number>;
}

export interface IncidentStore
  extends IncidentRecorder,
    DeliveryQueue,
    IncidentReader,
    RuleSetStore,
    FactStore,
    TokenStore,
    IncidentPruner {
  close(): Promise<void>;
}
