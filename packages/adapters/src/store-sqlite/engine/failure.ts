import type { ErrorCode, ErrorFields } from "@winnow/platform";

// A store's thread takes only types from the platform package: its HTTP client, YAML reader and metrics would cost each
// thread 0.2 s and tens of MB. The client turns these into the platform's errors.

/** An operational error on its way to the client, which makes it a WinnowError with this code. */
export class StoreFailure extends Error {
  readonly code: ErrorCode;
  readonly fields: ErrorFields;

  constructor(code: ErrorCode, message: string, fields: ErrorFields = {}) {
    super(message);
    this.code = code;
    this.fields = fields;
  }
}

/** A programmer error, as the platform's `assert`. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}
