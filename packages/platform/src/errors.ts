/** Whether trying the same again can help: `unknown` = it may even have been done. */
export type Retry = "retryable" | "permanent" | "unknown";

/**
 * Every operational error of Winnow: stable code → whether to try again, and what it means.
 * `docs/errors.md` lists the same codes; a test holds the two equal.
 */
export const errorCodes = {
  log_full: { retry: "retryable", means: "The log's disk is full or below the free-space floor" },
  log_write_failed: { retry: "retryable", means: "Writing or syncing the log failed; nothing of the append is served" },
  log_unknown: { retry: "unknown", means: "The log may or may not have taken the append" },
  log_refused: {
    retry: "retryable",
    means:
      "The log's servers refuse, for a right or a login that is missing: grant it there (the message says which), and Winnow goes on by itself",
  },
  log_record_too_large: { retry: "permanent", means: "A record is larger than the log takes" },
  log_read_failed: { retry: "retryable", means: "Reading the log's files failed" },
  log_closed: { retry: "permanent", means: "The log is closed" },
  log_offset_trimmed: { retry: "permanent", means: "The position lies below the log's start: records are gone" },
  log_offset_beyond_end: { retry: "permanent", means: "The position lies above the log's end: the log went backwards" },
  log_replaced: { retry: "permanent", means: "The log was deleted and made again: its log_id is another" },
  log_corrupt: { retry: "permanent", means: "A record inside the log fails its checksum" },
  partitions_changed: { retry: "permanent", means: "The partition count differs from the stored one" },
  data_dir_locked: { retry: "permanent", means: "Another process uses the data directory" },
  data_dir_newer: { retry: "permanent", means: "The data directory was written by a newer version" },
  store_unavailable: { retry: "retryable", means: "The store did not answer" },
  store_unknown: { retry: "unknown", means: "The store may or may not have done it" },
  store_unsuitable: {
    retry: "permanent",
    means: "The store's server cannot be used as it is set up; the message says what to change",
  },
  input_gap: {
    retry: "permanent",
    means: "Inputs of an upstream are missing: the partition stops rather than skip them",
  },
  stage_stuck: { retry: "permanent", means: "Three crashes at one position: the partition stopped" },
  engine_too_old: {
    retry: "permanent",
    means: "A newer engine version decides here by now: this one has done its part, start the newer Winnow",
  },
  engine_too_new: {
    retry: "permanent",
    means:
      "After an unclean stop, records before the upgrade are the older engine's to decide: stop this Winnow, let the older one finish and stop it in good order, then start this one",
  },
  rule_set_missing: { retry: "retryable", means: "An activated rule set is not stored" },
  config_invalid: { retry: "permanent", means: "The configuration has errors" },
  address_refused: { retry: "permanent", means: "The destination's address is in a network that is not allowed" },
  http_failed: { retry: "unknown", means: "An HTTP request ended without a definite answer" },
  http_not_sent: { retry: "retryable", means: "An HTTP request was definitely not sent" },
} as const satisfies Record<string, { retry: Retry; means: string }>;

export type ErrorCode = keyof typeof errorCodes;

/** Safe to log and to show: never secrets, never bodies. */
export type ErrorFields = Readonly<Record<string, string | number | boolean | null>>;

/** An operational error. Nobody branches on its text; `code` and `retry` are for that. */
export class WinnowError extends Error {
  readonly code: ErrorCode;
  readonly retry: Retry;
  readonly fields: ErrorFields;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; fields?: ErrorFields } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = "WinnowError";
    this.code = code;
    this.retry = errorCodes[code].retry;
    this.fields = options.fields ?? {};
  }
}

/** True when `error` is a WinnowError with this code. */
export function hasCode(error: unknown, code: ErrorCode): error is WinnowError {
  return error instanceof WinnowError && error.code === code;
}

/** A programmer error: something that cannot be, is. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}
