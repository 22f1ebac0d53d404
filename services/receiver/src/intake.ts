import { hash } from "node:crypto";
import type { DeadLetterNote, MappingWarning } from "@winnow/contracts";
import { finishEvent } from "@winnow/core";
import type { Logger } from "@winnow/platform";
import type { Normalised, RejectedItem, SourceBody } from "@winnow/sources";
import { type DeadLetterContext, deadLetter } from "./dead-letters.ts";
import { decodeBody, type RawBody } from "./decode.ts";
import type { GuardedIntegration } from "./integrations.ts";
import type { ReceiverLimits } from "./limits.ts";
import { fitsRecord, type Item, isSurelySmall } from "./records.ts";

/** An authenticated delivery, not looked into yet. */
export interface Delivery extends RawBody {
  readonly integration: GuardedIntegration;
  /** True when only the head of a body beyond the limit is here. */
  readonly isTruncated: boolean;
  readonly headers: Readonly<Record<string, string>>;
  readonly receivedMs: number;
}

/** Why an item or a whole body was not taken as an alert. */
export interface Rejection {
  /** `too_large` bodies are refused in the answer, though their head is kept. */
  readonly isTooLarge: boolean;
  readonly code: string;
  readonly path: string;
  readonly message: string;
}

/** What one delivery became. */
export interface Intaken {
  readonly deliveryId: string;
  /** Events and dead letters, in the order of the delivery: all of it goes to the log. */
  readonly items: readonly Item[];
  readonly accepted: number;
  readonly rejections: readonly Rejection[];
  readonly warnings: readonly MappingWarning[];
}

export interface IntakeOptions {
  readonly limits: ReceiverLimits;
  readonly logger: Logger;
}

const sha256 = (text: string): string => hash("sha256", text);

/**
 * The way of a delivery from bytes to items, in order: decode, normalise, finish. Nothing is lost on it: a body that
 * cannot be read is one dead letter, a bad item of a good body is one too, and a parser that throws is both logged and
 * kept. Never rejects for anything that a sender wrote.
 */
export async function intake(delivery: Delivery, options: IntakeOptions): Promise<Intaken> {
  const { integration } = delivery;
  const draft = new IntakeDraft(delivery, options);
  if (delivery.isTruncated) return draft.refuse("body_too_large", `more than ${options.limits.bodyBytes} bytes`);
  const decoded = await decodeBody(delivery, integration.source.accepts, options.limits);
  if (!decoded.ok) return draft.refuse(decoded.fault, decoded.message);
  if (decoded.warning !== null) draft.warn([decoded.warning]);
  const normalised = normalise(decoded.body, delivery, options.logger);
  if (normalised === null) return draft.refuse("parser_failed", "the parser of this source failed; see the log");
  const count = normalised.drafts.length + normalised.rejected.length;
  if (count > options.limits.itemsPerDelivery) return draft.refuse("too_many_items", `${count} alerts in one body`);
  draft.take(normalised);
  return draft.done();
}

function normalise(body: SourceBody, delivery: Delivery, logger: Logger): Normalised | null {
  const { source, settings, name } = delivery.integration;
  try {
    return source.normalise({ body, headers: delivery.headers, receivedMs: delivery.receivedMs }, settings);
  } catch (error) {
    logger.error("a source's parser failed; the body is kept as a dead letter", { integration: name, error });
    return null;
  }
}

const tooLargeCodes: readonly string[] = ["body_too_large", "too_many_items"];

/** Gathers what a delivery becomes. */
class IntakeDraft {
  readonly #delivery: Delivery;
  readonly #options: IntakeOptions;
  readonly #items: Item[] = [];
  readonly #rejections: Rejection[] = [];
  readonly #warnings: MappingWarning[] = [];
  #deliveryId: string;
  #accepted = 0;
  #wholeBody: string | null = null;
  #untold = 0;

  constructor(delivery: Delivery, options: IntakeOptions) {
    this.#delivery = delivery;
    this.#options = options;
    this.#deliveryId = hash("sha256", delivery.bytes);
  }

  warn(warnings: readonly MappingWarning[]): void {
    for (const warning of warnings) {
      // One place is kept to say that there were more.
      if (this.#warnings.length < this.#options.limits.warnings - 1) this.#warnings.push(warning);
      else this.#untold += 1;
    }
  }

  /** The whole body becomes one dead letter. */
  refuse(code: string, message: string): Intaken {
    this.#bury({ code, path: "", message, item: null }, -1);
    return this.done();
  }

  take({ drafts, rejected, warnings, deliveryId }: Normalised): void {
    const { integration, receivedMs } = this.#delivery;
    const { source, settings, tenant, scope, identityRecipe } = integration;
    if (deliveryId !== undefined) this.#deliveryId = deliveryId;
    this.warn(warnings);
    const common = {
      tenant,
      scope,
      source: source.type,
      integration: integration.name,
      parserVersion: source.version,
      receivedMs,
      deliveryId: this.#deliveryId,
      itemIndex: 0,
      hash: sha256,
      ...(identityRecipe === undefined ? {} : { identityRecipe }),
      ...(settings.identityExclude === undefined ? {} : { identityExclude: settings.identityExclude }),
    };
    const isSmall = this.#isSmall();
    for (const [itemIndex, draft] of drafts.entries()) {
      common.itemIndex = itemIndex;
      const { event, warnings: own } = finishEvent(draft, common);
      if (own.length > 0) this.warn(own);
      if (isSmall || fitsRecord(event, this.#options.limits.recordBytes)) {
        this.#items.push(event);
        this.#accepted += 1;
      } else {
        const message = "the normalised event is larger than a log record";
        this.#bury(
          { code: "event_too_large", path: `[${itemIndex}]`, message, item: JSON.stringify(draft) },
          itemIndex,
        );
      }
    }
    for (const [at, item] of rejected.entries()) this.#bury(item, drafts.length + at);
    if (drafts.length + rejected.length === 0) {
      this.warn([{ code: "empty_delivery", path: "", message: "the body holds no alert" }]);
    }
  }

  done(): Intaken {
    if (this.#untold > 0) {
      this.#warnings.push({ code: "more_warnings", path: "", message: `${this.#untold} more warnings` });
    }
    return {
      deliveryId: this.#deliveryId,
      items: this.#items,
      accepted: this.#accepted,
      rejections: this.#rejections,
      warnings: this.#warnings,
    };
  }

  /** True when no event of it can come near the size of a record. */
  #isSmall(): boolean {
    const { bytes, contentEncoding } = this.#delivery;
    return contentEncoding === undefined && isSurelySmall(bytes.length, this.#options.limits.recordBytes);
  }

  #bury(rejected: RejectedItem, index: number): void {
    const { code, path, message } = rejected;
    this.#rejections.push({ code, path, message, isTooLarge: tooLargeCodes.includes(code) });
    this.warn([{ code, path, message }]);
    this.#items.push(this.#letter(rejected, index));
  }

  #letter({ code, path, message, item }: RejectedItem, index: number): DeadLetterNote {
    const { integration, receivedMs, contentType, bytes } = this.#delivery;
    const place = path === "" ? "" : `${path}: `;
    const context: DeadLetterContext = {
      integration,
      deliveryId: this.#deliveryId,
      receivedMs,
      limits: this.#options.limits,
    };
    if (item !== null) {
      const kept = { code, text: place + message, bytes: Buffer.from(item), contentType: "application/json", index };
      return deadLetter(kept, context);
    }
    // Many items may point at the whole body: it is kept once.
    if (this.#wholeBody !== null) {
      const text = `${place}${message}; the body is kept with ${this.#wholeBody}`;
      return deadLetter({ code, text, bytes: Buffer.alloc(0), contentType, index }, context);
    }
    const letter = deadLetter({ code, text: place + message, bytes, contentType, index }, context);
    this.#wholeBody = letter.id;
    return letter;
  }
}
