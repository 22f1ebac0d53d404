import { hash } from "node:crypto";
import type { DeadLetterNote } from "@winnow/contracts";
import { type Integration, stripSecrets } from "./integrations.ts";
import type { ReceiverLimits } from "./limits.ts";

/** What is kept of a body or of an item that could not be mapped. */
export interface Unmapped {
  readonly code: string;
  readonly text: string;
  readonly bytes: Buffer;
  readonly contentType: string | undefined;
  /** Place in its delivery; -1 for the whole body. */
  readonly index: number;
}

export interface DeadLetterContext {
  readonly integration: Integration;
  readonly deliveryId: string;
  readonly receivedMs: number;
  readonly limits: ReceiverLimits;
}

const textMax = 1_000;
const contentTypeMax = 255;

/**
 * A dead letter of the receiver. The same delivery makes the same id, so a repeated delivery is one dead letter.
 * Live secrets are taken out before size and digest are taken; a long body keeps its head, and says so.
 */
export function deadLetter(unmapped: Unmapped, context: DeadLetterContext): DeadLetterNote {
  const { integration, limits } = context;
  const bytes = stripSecrets(unmapped.bytes, integration);
  const kept = bytes.subarray(0, limits.deadLetterBytes);
  const clipped = kept.length < bytes.length ? ` (the first ${kept.length} of ${bytes.length} bytes are kept)` : "";
  const seed = JSON.stringify([integration.tenant, integration.name, context.deliveryId, unmapped.index]);
  return {
    type: "dead_letter",
    id: `dl_${hash("sha256", seed).slice(0, 24)}`,
    received_ms: context.receivedMs,
    integration: integration.name,
    reason: { code: unmapped.code, text: storable(unmapped.text).slice(0, textMax) + clipped },
    raw_base64: kept.toString("base64"),
    bytes: bytes.length,
    sha256: hash("sha256", bytes),
    ...(unmapped.contentType === undefined
      ? {}
      : { content_type: storable(unmapped.contentType).slice(0, contentTypeMax) }),
  };
}

function storable(text: string): string {
  return text.replaceAll("\0", "\ufffd").toWellFormed();
}
