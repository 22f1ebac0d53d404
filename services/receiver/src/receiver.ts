import type { AlertEvent, MappingWarning } from "@winnow/contracts";
import { alertPartitionKey, partitionOf } from "@winnow/core";
import { hasCode, type Logger, type Metrics, WinnowError } from "@winnow/platform";
import type { Clock, EventLog } from "@winnow/ports";
import { type Delivery, type Intaken, intake, type Rejection } from "./intake.ts";
import { IntakeGate } from "./intake-gate.ts";
import { type GuardedIntegration, type Integration, IntegrationTable, type Presented } from "./integrations.ts";
import { type ReceiverLimits, receiverLimits } from "./limits.ts";
import { PartitionWriter } from "./partition-writer.ts";
import { Pending, type Place } from "./pending.ts";
import { chunkItems, groupByPartition, type Item } from "./records.ts";
import { recoverSeq } from "./recover-seqs.ts";
import { rejectReasons } from "./reject-reasons.ts";

export interface ReceiverOptions {
  readonly integrations: readonly Integration[];
  readonly log: EventLog;
  readonly receiverId: string;
  /** From `recoverSeqs`: last durable seq by partition. */
  readonly lastSeqs: readonly number[];
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly limits?: Partial<ReceiverLimits>;
  /** Told after each durable delivery: that an integration is alive. `atMs` is epoch ms. */
  readonly onDelivered?: (integration: string, atMs: number) => void;
  /**
   * Waited for once a delivery is durable in `log` and before it is acknowledged. Told the offset behind its last record
   * for each partition that has any. Must not reject.
   */
  readonly afterDurable?: (ends: ReadonlyMap<number, number>) => Promise<void>;
}

/** How a delivery ended. */
export type Receipt =
  | {
      readonly kind: "stored";
      readonly deliveryId: string;
      readonly accepted: number;
      readonly deadLettered: number;
      readonly rejections: readonly Rejection[];
      readonly warnings: readonly MappingWarning[];
    }
  /** The head is kept as a dead letter, the answer is a refusal. */
  | { readonly kind: "too_large"; readonly code: "body_too_large" | "too_many_items" }
  /** Not stored, or not all of it: the sender sends it again. */
  | { readonly kind: "unavailable"; readonly retryAfterS: number };

/** A receipt, and where the delivery ends in the log, by partition; null when it is not stored. */
interface Stored {
  readonly receipt: Receipt;
  readonly ends: ReadonlyMap<number, number> | null;
}

export type Refusal = "unknown_integration" | "unauthorized" | "queue_full";
export type Opened = { readonly integration: GuardedIntegration; readonly place: Place };

/** How long a failed append keeps the receiver from being ready; ms. */
const unreadyMs = 5_000;
/** Retry-After, seconds: a full disk needs longer than a hiccup. */
const retrySoonS = 5;
const retryFullS = 30;

/** Takes deliveries: who may, what it is, and its way to the disk. HTTP and dialects stand around it. */
export class Receiver {
  readonly limits: ReceiverLimits;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly #options: ReceiverOptions;
  readonly #writers: readonly PartitionWriter[];
  readonly #pending: Pending;
  readonly #gate: IntakeGate;
  #table: IntegrationTable;
  #readySinceMs: number;
  #failedAt = Number.NEGATIVE_INFINITY;
  #isClosing = false;

  /** Throws WinnowError `config_invalid` for integrations that cannot be used. */
  constructor(options: ReceiverOptions) {
    this.#options = options;
    this.limits = { ...receiverLimits, ...options.limits };
    this.clock = options.clock;
    this.logger = options.logger;
    this.#pending = new Pending(this.limits);
    this.#gate = new IntakeGate(this.limits.intakeBytes);
    this.#table = this.#tableOf(options.integrations);
    options.metrics.allow("reason", rejectReasons);
    this.#writers = options.lastSeqs.map((lastSeq, partition) => this.#writer(partition, lastSeq));
    this.#readySinceMs = options.clock.now();
  }

  #writer(partition: number, lastSeq: number): PartitionWriter {
    const { log, receiverId } = this.#options;
    return new PartitionWriter({
      log,
      partition,
      receiverId,
      lastSeq,
      recoverSeq: () => recoverSeq(partition, { log, receiverId, metas: [] }),
      recordsMax: this.limits.appendRecords,
    });
  }

  #tableOf(integrations: readonly Integration[]): IntegrationTable {
    const table = new IntegrationTable(integrations);
    this.#options.metrics.allow("integration", table.names);
    return table;
  }

  /** Takes new integrations at once, or throws WinnowError `config_invalid` and keeps the old ones. */
  reload(integrations: readonly Integration[]): void {
    this.#table = this.#tableOf(integrations);
  }

  /** The integration of that name, for work that no sender asked for. */
  integration(name: string): GuardedIntegration | undefined {
    return this.#table.get(name);
  }

  hasIntegration(name: string): boolean {
    return this.#table.has(name);
  }

  /** False while closing and for a while after the log failed. */
  ready(): boolean {
    return !this.#isClosing && this.clock.monotonic() - this.#failedAt >= unreadyMs;
  }

  /** Since when every delivery was taken without a 503; epoch ms. */
  readySinceMs(): number {
    return this.#readySinceMs;
  }

  /** Readiness off; deliveries are still taken, since some senders never repeat one. */
  beginClosing(): void {
    this.#isClosing = true;
  }

  /** Does the token fit? With `sourceType`, an integration of another type is unknown. */
  admit(name: string, presented: Presented, sourceType?: string): GuardedIntegration | Refusal {
    const integration = this.#table.open(name, presented, sourceType);
    if (typeof integration === "string") this.#count(name, integration);
    return integration;
  }

  /** May it come in, and is there room? The place must be left in the end. */
  open(name: string, presented: Presented, sourceType?: string): Opened | Refusal {
    const integration = this.admit(name, presented, sourceType);
    if (typeof integration === "string") return integration;
    const place = this.#pending.enter();
    if (place !== null) return { integration, place };
    this.refuseForRoom(name);
    return "queue_full";
  }

  /** Counts a delivery that found no room while it was being read. */
  refuseForRoom(integration: string): void {
    this.#count(integration, "queue_full");
    this.#readySinceMs = this.clock.now();
  }

  /** Counts a delivery whose sender went away in the middle. */
  abandon(integration: string): void {
    this.#count(integration, "aborted");
  }

  /** A programmer error while a delivery was handled: it is not stored. */
  reportBug(integration: string, error: unknown): void {
    this.#options.logger.error("a delivery could not be handled", { integration, error });
    this.#readySinceMs = this.clock.now();
  }

  /** A sender's delivery: decode, normalise, write. Resolves when it is durable, or says why it is not. */
  async take(delivery: Delivery, startedAt: number, traceparent: string | undefined): Promise<Receipt> {
    const { metrics, onDelivered } = this.#options;
    const receipt = await this.store(delivery, traceparent);
    if (receipt.kind === "unavailable") return receipt;
    metrics.observe("winnow_ack_seconds", (this.clock.monotonic() - startedAt) / 1_000);
    onDelivered?.(delivery.integration.name, delivery.receivedMs);
    return receipt;
  }

  /** The same for bytes that were received before: they say nothing about whether their integration is alive now. */
  async store(delivery: Delivery, traceparent?: string): Promise<Receipt> {
    const { length } = delivery.bytes;
    const turn = this.#gate.enter(length);
    if (turn !== null) await turn;
    let end: Stored;
    try {
      end = await this.#store(delivery, traceparent);
    } finally {
      this.#gate.leave(length);
    }
    if (end.ends !== null) await this.#options.afterDurable?.(end.ends);
    return end.receipt;
  }

  async #store(delivery: Delivery, traceparent?: string): Promise<Stored> {
    const { logger, metrics } = this.#options;
    const { name } = delivery.integration;
    const intaken = await intake(delivery, { limits: this.limits, logger });
    let ends: Stored["ends"];
    try {
      ends = await this.#write(intaken, delivery.receivedMs, traceparent);
    } catch (error) {
      return { receipt: this.#failed(name, error), ends: null };
    }
    metrics.add("winnow_events_received_total", { integration: name }, intaken.items.length);
    metrics.add("winnow_events_accepted_total", { integration: name }, intaken.accepted);
    for (const { code } of intaken.rejections) this.#count(name, code);
    return { receipt: receiptOf(intaken), ends };
  }

  /** Writes an event that was mapped before, as it is. Rejects like the log does. */
  async takeEvent(event: AlertEvent): Promise<void> {
    const partition = partitionOf(alertPartitionKey(event.tenant, event.fingerprint), this.#writers.length);
    const receivedMs = this.clock.now();
    const chunks = chunkItems([{ ...event, received_ms: receivedMs }], this.limits.recordBytes);
    await this.#writers[partition]?.append({ chunks, receivedMs, traceparent: undefined });
  }

  /**
   * Resolves when all partitions have it, with the offset behind its last record in each; rejects when one does not,
   * after all have ended.
   */
  async #write(
    intaken: Intaken,
    receivedMs: number,
    traceparent: string | undefined,
  ): Promise<ReadonlyMap<number, number>> {
    const ends = new Map<number, number>();
    const write = async ([partition, items]: readonly [number, readonly Item[]]): Promise<void> => {
      const chunks = chunkItems(items, this.limits.recordBytes);
      const end = await this.#writers[partition]?.append({ chunks, receivedMs, traceparent });
      if (end !== undefined) ends.set(partition, end);
    };
    const writes = [...groupByPartition(intaken.items, this.#writers.length)].map(write);
    const fates = await Promise.allSettled(writes);
    const failed = fates.find((fate) => fate.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    return ends;
  }

  #failed(integration: string, error: unknown): Receipt {
    const isFull = hasCode(error, "log_full");
    this.#count(integration, isFull ? "log_full" : "log_failed");
    if (this.ready() || !(error instanceof WinnowError)) {
      this.#options.logger.error("deliveries cannot be stored: senders are told to come again", { error });
    }
    this.#failedAt = this.clock.monotonic();
    this.#readySinceMs = this.clock.now();
    return { kind: "unavailable", retryAfterS: isFull ? retryFullS : retrySoonS };
  }

  #count(integration: string, reason: string): void {
    this.#options.metrics.add("winnow_events_rejected_total", { integration, reason });
  }
}

function receiptOf(intaken: Intaken): Receipt {
  const [first] = intaken.rejections;
  if (first?.isTooLarge === true) {
    return { kind: "too_large", code: first.code === "too_many_items" ? "too_many_items" : "body_too_large" };
  }
  return {
    kind: "stored",
    deliveryId: intaken.deliveryId,
    accepted: intaken.accepted,
    deadLettered: intaken.items.length - intaken.accepted,
    rejections: intaken.rejections,
    warnings: intaken.warnings,
  };
}
