import type { AlertEvent } from "@winnow/contracts";
import { WinnowError } from "@winnow/platform";
import { type Delivery, intake } from "./intake.ts";
import type { GuardedIntegration } from "./integrations.ts";
import type { Receiver } from "./receiver.ts";

/** A body without its request: from a dead letter, or from a person who asks. */
export interface StoredBody {
  readonly integration: string;
  readonly body: Buffer;
  readonly contentType: string | undefined;
}

/** What reads bodies, whether it stores them or not. */
export type BodyReader = Pick<Receiver, "integration" | "limits" | "logger" | "clock">;

/** What the integration's source makes of a body; nothing is stored. Null: no integration has this name. */
export async function mapBody(receiver: BodyReader, stored: StoredBody): Promise<readonly AlertEvent[] | null> {
  const integration = receiver.integration(stored.integration);
  if (integration === undefined) return null;
  const intaken = await intake(deliveryOf(receiver, integration, stored), receiver);
  return intaken.items.filter((item): item is AlertEvent => "spec" in item);
}

/**
 * Sends a dead letter's bytes through its integration again: a mended parser may know them now.
 * An item of a batch is tried alone and as a batch of one; an event that failed after its mapping goes in as it is.
 * Null: its integration is not configured. Rejects like the log when it cannot be stored.
 */
export async function resend(
  receiver: Receiver,
  stored: StoredBody,
): Promise<{ accepted: number; dead_lettered: number } | null> {
  const integration = receiver.integration(stored.integration);
  if (integration === undefined) return null;
  const event = eventIn(stored.body);
  if (event !== null) {
    await receiver.takeEvent(event);
    return { accepted: 1, dead_lettered: 0 };
  }
  const delivery = deliveryOf(receiver, integration, stored);
  const alone = await intake(delivery, receiver);
  const batch = { ...delivery, bytes: Buffer.concat([Buffer.from("["), stored.body, Buffer.from("]")]) };
  const better = alone.accepted === 0 && (await intake(batch, receiver)).accepted > 0 ? batch : delivery;
  const receipt = await receiver.store(better);
  switch (receipt.kind) {
    case "stored":
      return { accepted: receipt.accepted, dead_lettered: receipt.deadLettered };
    case "too_large":
      return { accepted: 0, dead_lettered: 1 };
    case "unavailable":
      throw new WinnowError("log_write_failed", "the dead letter could not be stored again");
  }
}

function deliveryOf(receiver: BodyReader, integration: GuardedIntegration, stored: StoredBody): Delivery {
  return {
    integration,
    bytes: stored.body,
    isTruncated: false,
    contentType: stored.contentType,
    contentEncoding: undefined,
    headers: {},
    receivedMs: receiver.clock.now(),
  };
}

/** The event that a stage set aside, whole. */
function eventIn(body: Buffer): AlertEvent | null {
  try {
    const value: unknown = JSON.parse(body.toString("utf8"));
    const isEvent = typeof value === "object" && value !== null && "spec" in value && value.spec === "winnow.alert/1";
    return isEvent ? (value as AlertEvent) : null;
  } catch {
    // Not JSON: bytes as a sender wrote them.
    return null;
  }
}
