/** Kinds of trouble that a fake can make, as `POST /__faults` takes them. */
export const faultKinds = [
  "drop_reply",
  "late_commit",
  "rate_limit",
  "server_error",
  "unauthorized",
  "html_200",
  "unrelated_row",
  "two_rows",
  "search_lag",
  "closed",
  "slow",
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** What a request does at the vendor. Faults are chosen by it. */
export type Operation = "create" | "update" | "read" | "search";

export interface Fault {
  readonly kind: FaultKind;
  /** How many requests it strikes. */
  readonly count: number;
  readonly delay_ms: number;
  /** Strikes only requests of this operation; null for all that the kind can strike. */
  readonly on: Operation | null;
}

const strikes: Readonly<Record<FaultKind, readonly Operation[]>> = {
  drop_reply: ["create", "update"],
  late_commit: ["create", "update"],
  rate_limit: ["create", "update", "read", "search"],
  server_error: ["create", "update", "read", "search"],
  unauthorized: ["create", "update", "read", "search"],
  html_200: ["create", "update", "read", "search"],
  unrelated_row: ["search"],
  two_rows: ["search"],
  search_lag: ["search"],
  closed: ["update", "read"],
  slow: ["create", "update", "read", "search"],
};

const countMax = 1_000_000;
const delayMsMax = 600_000;

/** Reads `{kind, count, delay_ms, on}`; count is 1 and delay_ms 1000 where absent. A text says what is wrong. */
export function parseFault(value: unknown, supported: readonly FaultKind[]): Fault | string {
  if (typeof value !== "object" || value === null) {
    return "expected {kind, count, delay_ms}";
  }
  const { kind, count = 1, delay_ms = 1000, on = null } = value as Readonly<Record<string, unknown>>;
  const known = supported.find((one) => one === kind);
  if (known === undefined) {
    return `kind must be one of ${supported.join(", ")}`;
  }
  if (!isWhole(count, countMax) || !isWhole(delay_ms, delayMsMax)) {
    return `count must be a whole number up to ${countMax}, delay_ms up to ${delayMsMax}`;
  }
  const operation = strikes[known].find((one) => one === on);
  if (on !== null && operation === undefined) {
    return `on must be one of ${strikes[known].join(", ")}`;
  }
  return { kind: known, count, delay_ms, on: operation ?? null };
}

function isWhole(value: unknown, max: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= max;
}

/** Faults that wait for requests, oldest first; each request takes at most one. */
export class FaultQueue {
  #waiting: { readonly fault: Fault; left: number }[] = [];

  add(fault: Fault): void {
    if (fault.count > 0) {
      this.#waiting.push({ fault, left: fault.count });
    }
  }

  take(operation: Operation): Fault | null {
    const entry = this.#waiting.find(
      ({ fault }) => strikes[fault.kind].includes(operation) && (fault.on === null || fault.on === operation),
    );
    if (entry === undefined) {
      return null;
    }
    entry.left -= 1;
    this.#waiting = this.#waiting.filter((one) => one.left > 0);
    return entry.fault;
  }

  list(): readonly Fault[] {
    return this.#waiting.map(({ fault, left }) => ({ ...fault, count: left }));
  }

  clear(): void {
    this.#waiting = [];
  }
}
