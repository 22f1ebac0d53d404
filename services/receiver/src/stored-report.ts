/** What a receiver tells the correlators about itself. Times are on the receiver's clock. */
export interface ReceiverFacts {
  /** Age of the oldest record that the shared log does not have yet, ms; 0 for none. */
  readonly oldest_unshipped_ms: number;
  /** Since when every delivery was taken without a 503; epoch ms. */
  readonly ready_since_ms: number;
  /** Last delivery per integration; epoch ms. */
  readonly delivered_ms: Readonly<Record<string, number>>;
}

export interface StoredReport extends ReceiverFacts {
  /** Rises with each report: its reader needs no clock of the receiver to see that it lives. */
  readonly number: number;
  /** When it was written; epoch ms. */
  readonly at_ms: number;
  /** True from a receiver that stopped in order, with nothing left to ship. */
  readonly is_over: boolean;
}

/** Facts of the store that are reports: this, then the receiver's id. */
export const reportPrefix = "receiver_report.";

/** Null for a text that is no report. */
export function parseReport(text: string): StoredReport | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Not JSON: another program wrote it.
    return null;
  }
  return isReport(value) ? value : null;
}

const numbers = ["number", "at_ms", "oldest_unshipped_ms", "ready_since_ms"] as const;

function isReport(value: unknown): value is StoredReport {
  if (typeof value !== "object" || value === null) return false;
  const fields = value as Readonly<Record<string, unknown>>;
  const delivered = fields["delivered_ms"];
  return (
    numbers.every((name) => Number.isFinite(fields[name])) &&
    typeof fields["is_over"] === "boolean" &&
    typeof delivered === "object" &&
    delivered !== null &&
    Object.values(delivered).every(Number.isFinite)
  );
}
