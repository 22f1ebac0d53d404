import { rejectionCodes } from "@winnow/sources";

/** Every value of the label `reason`: why a request was refused, or an item kept as a dead letter. */
export const rejectReasons: readonly string[] = [
  "unauthorized",
  "unknown_integration",
  "queue_full",
  "log_full",
  "log_failed",
  "aborted",
  "body_too_large",
  "too_many_items",
  "empty_body",
  "invalid_json",
  "too_deep",
  "unsupported_body",
  "encoding_unsupported",
  "encoding_invalid",
  "form_invalid",
  "event_too_large",
  "parser_failed",
  ...Object.keys(rejectionCodes),
];
