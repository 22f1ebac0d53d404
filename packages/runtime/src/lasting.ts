import { hasCode, type WinnowError } from "@winnow/platform";

/**
 * True for what a person has to mend outside of Winnow, such as a right or a limit of the log's servers, and what works
 * at the next try from then on: it is told as an alarm, and tried again all the same.
 */
export function isLasting(error: unknown): error is WinnowError {
  return hasCode(error, "log_refused") || hasCode(error, "log_record_too_large");
}
