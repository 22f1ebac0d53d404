import type { AlertDraft, MappingWarning } from "@winnow/contracts";

/** A body after the receiver's caps, content decoding and charset decoding. */
export type SourceBody =
  /** Parsed JSON; integers of 16 digits and more are strings, so that no identifier loses digits. */
  | { readonly kind: "json"; readonly value: unknown }
  | { readonly kind: "form"; readonly fields: ReadonlyMap<string, readonly string[]> }
  | { readonly kind: "text"; readonly text: string };

export interface SourceRequest {
  readonly body: SourceBody;
  /** Lower-cased names. Never logged, never echoed in messages: they hold credentials. */
  readonly headers: Readonly<Record<string, string>>;
  /** Epoch ms on Winnow's clock. */
  readonly receivedMs: number;
}

/** Settings of one configured integration that a normaliser may use. */
export interface SourceSettings {
  /** Environment given by the configuration; the sender's own wins. */
  readonly environment?: string;
  /** Label names left out of the identity (replica, pod …). */
  readonly identityExclude?: readonly string[];
  /** IANA zone or offset for sources that send local time without one. */
  readonly timeZone?: string;
}

/** An item that could not be mapped; the others of its batch go on. */
export interface RejectedItem {
  /** Stable, from the source's documented list, e.g. `missing_field`. */
  readonly code: string;
  /** Where in the body, e.g. `alerts[3].labels`. */
  readonly path: string;
  readonly message: string;
  /** JSON text of the item, or null when it is the whole body. */
  readonly item: string | null;
}

export interface Normalised {
  readonly drafts: readonly AlertDraft[];
  readonly rejected: readonly RejectedItem[];
  readonly warnings: readonly MappingWarning[];
  /** The sender's own id of this delivery, where it has one. */
  readonly deliveryId?: string;
}

export const authKinds = ["header", "bearer", "basic", "query", "path"] as const;
export type AuthKind = (typeof authKinds)[number];

/** One kind of inbound tool: one folder, one registry line. Pure: the same request gives the same result. */
export interface Source {
  /** Name in configuration and in `match: { source: … }`. */
  readonly type: string;
  /** Name for people. */
  readonly title: string;
  /** Body kinds it understands, the preferred one first: the receiver decodes by these, whatever the content type says. */
  readonly accepts: readonly SourceBody["kind"][];
  /** How this tool can authenticate. */
  readonly auth: readonly AuthKind[];
  /** Rises when the mapping changes. */
  readonly version: number;
  normalise(request: SourceRequest, settings: SourceSettings): Normalised;
}
