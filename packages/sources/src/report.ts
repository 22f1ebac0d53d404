import type { AlertDraft, MappingWarning } from "@winnow/contracts";
import type { TSchema } from "typebox";
import { Value } from "typebox/value";
import type { Normalised, RejectedItem } from "./source.ts";

/** Warnings of one body: further ones are counted, not told one by one. */
const warningsMax = 100;

/** Why an item or a whole body became no alert. Sources may use no other codes; the READMEs say which they use. */
export const rejectionCodes = {
  wrong_body: "the body is not what this tool sends",
  no_alerts: "the body holds no alerts",
  missing_field: "a field without which there is no alert is missing",
  no_labels: "the alert has no labels, and so no identity",
} as const;
export type RejectionCode = keyof typeof rejectionCodes;

/** What could be read, though with a doubt. */
export const mappingWarnings = {
  unknown_severity: "the severity word is in no table",
  unknown_status: "the state word is in no table",
  bad_time: "a time could not be read",
  wrong_type: "a value has a type that cannot be used, and was left out",
  truncated_by_sender: "the sender itself left alerts out",
  identity_incomplete: "a part of the identity is missing: all labels take its place",
  identity_exclude_ignored: "leaving out labels would have left no identity",
  default_payload: "the tool's default payload: identity and state are read from its text",
  soft_state: "an unconfirmed state, kept as a change",
  more_warnings: "there were more warnings than are listed",
} as const;
export type MappingWarningCode = keyof typeof mappingWarnings;

/** Gathers what one body gave. */
export class Report {
  readonly #drafts: AlertDraft[] = [];
  readonly #rejected: RejectedItem[] = [];
  readonly #warnings: MappingWarning[] = [];
  #untold = 0;

  draft(draft: AlertDraft): void {
    this.#drafts.push(draft);
  }

  warn(code: MappingWarningCode, path: string, message: string = mappingWarnings[code]): void {
    if (this.#warnings.length < warningsMax) this.#warnings.push({ code, path, message });
    else this.#untold += 1;
  }

  reject(code: RejectionCode, path: string, item: unknown, message: string = rejectionCodes[code]): void {
    this.#rejected.push({ code, path, message, item: item === undefined ? null : JSON.stringify(item) });
  }

  /** `deliveryId` is the sender's own id of the delivery, where it has one. */
  result(deliveryId?: string): Normalised {
    if (this.#untold > 0)
      this.#warnings.push({ code: "more_warnings", path: "", message: `${this.#untold} more warnings` });
    const result = { drafts: this.#drafts, rejected: this.#rejected, warnings: this.#warnings };
    return deliveryId === undefined ? result : { ...result, deliveryId };
  }
}

/** A body that cannot be mapped at all, with the schema's own words about what was expected. Values are never quoted. */
export function wholeBodyRejected(schema: TSchema, body: unknown): Normalised {
  const [first] = Value.Errors(schema, body);
  const where = first === undefined || first.instancePath === "" ? "the body" : first.instancePath;
  const message = first === undefined ? rejectionCodes.wrong_body : `${where} ${first.message}`;
  return { drafts: [], rejected: [{ code: "wrong_body", path: "", message, item: null }], warnings: [] };
}
