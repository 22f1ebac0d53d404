import { hasCode, type WinnowError } from "./errors.ts";

const lastingCodes = ["log_refused", "log_record_too_large", "store_unsuitable"] as const;

/**
 * True for what a person has to mend outside of Winnow, such as a right, a limit or a setting of its servers, and what
 * works at the next try from then on: it is told as an alarm, and tried again all the same.
 */
export function isLasting(error: unknown): error is WinnowError {
  return lastingCodes.some((code) => hasCode(error, code));
}
