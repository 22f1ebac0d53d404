import type { IncidentMember, IncidentSnapshot, TimelineEntry } from "@winnow/contracts";

/**
 * How a create can be made to look exactly-once at this vendor:
 * A upsert by our key, B idempotency key that expires, C consistent lookup, D lagging lookup, E none.
 */
export type SinkClass = "A" | "B" | "C" | "D" | "E";

/** Everything a ticket should show, at one version. */
export interface TicketContent {
  /** `winnow:<deployment>:<incident>:<destination>:<generation>`: the vendor's correlation id. */
  readonly key: string;
  readonly incident: IncidentSnapshot;
  /** Newest members, at most 50, for the description. */
  readonly members: readonly IncidentMember[];
  /** Timeline rows that the ticket does not show yet, oldest first, at most 100. */
  readonly notes: readonly (TimelineEntry & { readonly seq: number })[];
  /** Link back to Winnow. */
  readonly url: string;
  /** Remote id of the generation before, when this one succeeds a ticket that was closed for good. */
  readonly predecessor: string | null;
}

export interface RemoteTicket {
  readonly remote_id: string;
  readonly remote_url: string | null;
}

/** What happened to one request. Only `done` and `refused` are definite. */
export type SinkResult<Value> =
  | { readonly kind: "done"; readonly value: Value }
  /** Definitely not applied. `retry: later` honours `retryAfterMs`; `never` needs a person; `auth` pauses the destination. */
  | {
      readonly kind: "refused";
      readonly retry: "later" | "never" | "auth";
      readonly code: string;
      readonly message: string;
      readonly retryAfterMs?: number;
    }
  /** The ticket is closed for good at the vendor: a successor generation is needed. */
  | { readonly kind: "gone"; readonly code: string; readonly message: string }
  /** It may or may not have been applied. */
  | { readonly kind: "unknown"; readonly code: string; readonly message: string };

/** What comes along with every request of a sink. */
export interface SinkCall {
  readonly signal: AbortSignal;
  /**
   * Asked once per writing request, with the connection open and right before its first byte: false (the lease is
   * over) means that nothing is sent, and the answer is `refused`, `later`, code `http_not_sent`. Reads don't ask.
   */
  readonly beforeSend: () => boolean;
}

/** A ticket found by our key. */
export interface FoundTicket extends RemoteTicket {
  /** Other tickets with the same key, which should not be there: to be linked, closed and counted. Usually empty. */
  readonly twins: readonly RemoteTicket[];
}

/** One configured destination. Implementations speak HTTP and nothing else: no retries, no state. */
export interface TicketSink {
  readonly type: string;
  readonly class: SinkClass;
  /** How long the vendor may still work on a request whose reply was lost, plus margin; ms. */
  readonly killTimeMs: number;
  /** Class D: how long the vendor's search may lag. */
  readonly settleMs: number;
  /** The guarantee, in the words that are printed. */
  readonly guarantee: string;
  /** Creates the ticket. */
  create(content: TicketContent, call: SinkCall): Promise<SinkResult<RemoteTicket>>;
  /** Brings an existing ticket to `content`, notes included; resolve and reopen follow from `content.incident.state`. */
  update(remote: RemoteTicket, content: TicketContent, call: SinkCall): Promise<SinkResult<RemoteTicket>>;
  /** Finds our ticket by key, verified field by field; null = the vendor answered that there is none. Class E has none. */
  find?(key: string, call: SinkCall): Promise<SinkResult<FoundTicket | null>>;
  /**
   * After an update with an unknown end: is what `content` wants (its last note, or its state and fields) there?
   * `false` = not applied as far as the vendor shows; within `killTimeMs` of the update it may still come.
   */
  confirm?(remote: RemoteTicket, content: TicketContent, call: SinkCall): Promise<SinkResult<boolean>>;
  close(): Promise<void>;
}
