/** Named maxima of receiving. Each has a reject reason or a warning of its own, and a test at it. */
export interface ReceiverLimits {
  /** Body on the wire and after decompression, bytes. */
  readonly bodyBytes: number;
  /** Nesting of a JSON body. */
  readonly jsonDepth: number;
  /** Alerts in one delivery. */
  readonly itemsPerDelivery: number;
  /** JSON of one log record, bytes. */
  readonly recordBytes: number;
  /** Bytes kept of a body or item that becomes a dead letter. */
  readonly deadLetterBytes: number;
  /** Bytes of all deliveries that are being read or wait for the log. */
  readonly pendingBytes: number;
  /** Deliveries that are being read or wait for the log. */
  readonly pendingDeliveries: number;
  /** Bytes of deliveries between decoding and the disk; further ones wait as they came. */
  readonly intakeBytes: number;
  /** How many times larger than its compressed form a body may be, once it is larger than `inflateFreeBytes`. */
  readonly inflateRatio: number;
  readonly inflateFreeBytes: number;
  /** Fields of a form. */
  readonly formFields: number;
  /** Warnings in one answer. */
  readonly warnings: number;
  /** Records in one append to the log. */
  readonly appendRecords: number;
  /** From the first byte of a request to its last; ms. Beyond it: 408. */
  readonly requestTimeoutMs: number;
  /** From the first byte to the end of the headers; ms. */
  readonly headersTimeoutMs: number;
  /** How long an idle connection is kept; ms. Longer than the usual minute of load balancers. */
  readonly keepAliveTimeoutMs: number;
  /** How often the two time limits are looked at; ms. */
  readonly connectionsCheckMs: number;
  /** All headers together, bytes. */
  readonly headerBytes: number;
}

export const receiverLimits: ReceiverLimits = {
  bodyBytes: 5 * 1024 * 1024,
  jsonDepth: 64,
  itemsPerDelivery: 20_000,
  recordBytes: 512 * 1024,
  deadLetterBytes: 256 * 1024,
  pendingBytes: 64 * 1024 * 1024,
  pendingDeliveries: 10_000,
  intakeBytes: 1024 * 1024,
  inflateRatio: 100,
  inflateFreeBytes: 1024 * 1024,
  formFields: 1_000,
  warnings: 100,
  appendRecords: 1_000,
  requestTimeoutMs: 10_000,
  headersTimeoutMs: 5_000,
  keepAliveTimeoutMs: 75_000,
  connectionsCheckMs: 1_000,
  headerBytes: 16 * 1024,
};
