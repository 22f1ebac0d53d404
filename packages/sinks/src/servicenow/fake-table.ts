import { createHash, randomBytes } from "node:crypto";
import type { Ledger, LedgerEntry } from "../fake/ledger.ts";
import type { StoredRow } from "./fake-query.ts";

/** A refusal in the vendor's words. */
export interface TableError {
  readonly status: 403 | 404;
  readonly message: string;
  readonly detail: string;
}

export interface JournalEntry {
  readonly sys_id: string;
  readonly element_id: string;
  readonly element: string;
  readonly value: string;
  readonly sys_created_on: string;
  readonly sys_created_by: string;
}

type Values = Readonly<Record<string, string>>;

/** Fields of the table besides `u_…`; anything else in a request is ignored, as ServiceNow does. */
export const incidentFields: ReadonlySet<string> = new Set(
  (
    "sys_id number state short_description description impact urgency priority category subcategory contact_type " +
    "caller_id assigned_to assignment_group business_service cmdb_ci correlation_id correlation_display close_code " +
    "close_notes hold_reason parent_incident resolved_at closed_at opened_at active sys_created_on sys_created_by " +
    "sys_updated_on severity"
  ).split(" "),
);
const journals = ["work_notes", "comments"] as const;
const readOnly = new Set(
  "sys_id number priority resolved_at closed_at opened_at active sys_created_on sys_created_by sys_updated_on".split(
    " ",
  ),
);
const lengths: Readonly<Record<string, number>> = { short_description: 160, description: 4000, correlation_id: 100 };
/** Priority by impact, then urgency: the vendor's lookup rules as shipped. */
const matrix: Readonly<Record<string, string>> = {
  "11": "1",
  "12": "2",
  "13": "3",
  "21": "2",
  "22": "3",
  "23": "4",
  "31": "3",
  "32": "4",
  "33": "5",
};
const closedStates = ["7", "8"];
const noRecord: TableError = {
  status: 404,
  message: "No Record found",
  detail: "Record doesn't exist or ACL restricts the record retrieval",
};

/** The incident table. Its rows are what the ledger's entries add up to, so a restarted fake has the same rows. */
export class IncidentTable {
  readonly #rows = new Map<string, StoredRow>();
  readonly #journal: JournalEntry[] = [];
  readonly #ledger: Ledger;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
    for (const entry of ledger.entries()) {
      this.#apply(entry);
    }
  }

  rows(): StoredRow[] {
    return [...this.#rows.values()];
  }

  row(sysId: string): StoredRow | undefined {
    return this.#rows.get(sysId);
  }

  /** Oldest first. */
  journal(sysId?: string): readonly JournalEntry[] {
    return sysId === undefined ? this.#journal : this.#journal.filter((entry) => entry.element_id === sysId);
  }

  insert(values: Values, user: string, by: LedgerEntry["by"] = "api"): StoredRow | TableError {
    const now = vendorTime();
    const wanted = { state: "1", impact: "3", urgency: "3", ...writable(values) };
    const problem = resolutionProblem(wanted);
    if (problem !== null) {
      return problem;
    }
    const sysId = randomBytes(16).toString("hex");
    const row = {
      ...wanted,
      sys_id: sysId,
      number: this.#nextNumber(),
      priority: priorityOf(wanted),
      active: closedStates.includes(wanted.state) ? "false" : "true",
      opened_at: now,
      sys_created_on: now,
      sys_created_by: user,
      sys_updated_on: now,
      ...(wanted.state === "6" ? { resolved_at: now } : {}),
    };
    this.#commit("create", row, by);
    this.#note(row, values, user);
    return row;
  }

  update(sysId: string, values: Values, user: string): StoredRow | TableError {
    const row = this.#rows.get(sysId);
    if (row === undefined) {
      return noRecord;
    }
    if (closedStates.includes(row["state"] ?? "")) {
      return refused("Operation against file 'incident' was aborted by Business Rule: the incident is closed");
    }
    const { state = row["state"] ?? "1", close_code, close_notes, ...others } = writable(values);
    const closing = {
      ...(close_code === undefined ? {} : { close_code }),
      ...(close_notes === undefined ? {} : { close_notes }),
    };
    const problem = resolutionProblem({ ...row, state, ...closing });
    if (problem !== null) {
      return problem;
    }
    const changed = changes(row, { ...others, ...(state === row["state"] ? closing : {}) });
    if (Object.keys(changed).length > 0) {
      const priority = priorityOf({ ...row, ...changed });
      this.#commit("update", { ...row, ...changed, ...(priority === row["priority"] ? {} : { priority }) });
    }
    this.#note(row, values, user);
    this.#setState(sysId, { state, ...closing });
    return this.#rows.get(sysId) ?? row;
  }

  /** What a person or a job does behind the client's back. */
  closeByFault(sysId: string): void {
    const row = this.#rows.get(sysId);
    if (row !== undefined) {
      this.#commit("close", { ...row, state: "7", active: "false", closed_at: vendorTime() }, "fault");
    }
  }

  #setState(sysId: string, values: Values): void {
    const row = this.#rows.get(sysId);
    const { state } = values;
    if (row === undefined || state === undefined || state === row["state"]) {
      return;
    }
    if (state === "6") {
      this.#commit("resolve", { ...row, ...values, resolved_at: vendorTime() });
    } else if (closedStates.includes(state)) {
      this.#commit("close", { ...row, ...values, active: "false", closed_at: vendorTime() });
    } else {
      this.#commit(row["state"] === "6" ? "reopen" : "update", { ...row, ...values, resolved_at: "" });
    }
  }

  #note(row: StoredRow, values: Values, user: string): void {
    for (const element of journals) {
      const text = values[element];
      if (text !== undefined && text !== "") {
        this.#record({ op: "note", by: "api", ...keysOf(row), element, text, user });
      }
    }
  }

  #commit(op: string, row: StoredRow, by: LedgerEntry["by"] = "api"): void {
    const before = this.#rows.get(row["sys_id"] ?? "") ?? {};
    const changed = changes(before, { ...row, sys_updated_on: vendorTime() });
    this.#record({ op, by, ...keysOf(row), ...changed });
  }

  #record(change: Parameters<Ledger["append"]>[0]): void {
    this.#apply(this.#ledger.append(change));
  }

  #apply(entry: LedgerEntry): void {
    const { seq, at, op, by: _by, ...rest } = entry;
    const fields = rest as Record<string, string>;
    const sysId = fields["sys_id"] ?? "";
    if (op === "note") {
      this.#journal.push({
        sys_id: createHash("md5").update(`${sysId}/${seq}`).digest("hex"),
        element_id: sysId,
        element: fields["element"] ?? "",
        value: fields["text"] ?? "",
        sys_created_on: vendorTime(Date.parse(at)),
        sys_created_by: fields["user"] ?? "",
      });
    } else {
      this.#rows.set(sysId, { ...this.#rows.get(sysId), ...fields });
    }
  }

  #nextNumber(): string {
    return `INC${String(10_001 + this.#rows.size).padStart(7, "0")}`;
  }
}

/** `yyyy-MM-dd HH:mm:ss`, GMT. */
export function vendorTime(ms: number = Date.now()): string {
  return new Date(ms).toISOString().slice(0, 19).replace("T", " ");
}

function keysOf(row: StoredRow): Values {
  const { number = "", sys_id = "", correlation_id = "" } = row;
  return { number, sys_id, correlation_id };
}

function changes(row: StoredRow, wanted: Values): Values {
  return Object.fromEntries(Object.entries(wanted).filter(([name, value]) => (row[name] ?? "") !== value));
}

/** Known fields that may be written, cut to the column's length as a database does it. */
function writable(values: Values): Record<string, string> & { state?: string } {
  const kept = Object.entries(values).filter(
    ([name]) => (incidentFields.has(name) || name.startsWith("u_")) && !readOnly.has(name),
  );
  return Object.fromEntries(kept.map(([name, value]) => [name, Array.from(value).slice(0, lengths[name]).join("")]));
}

function priorityOf(row: Values): string {
  return matrix[`${row["impact"] ?? "3"}${row["urgency"] ?? "3"}`] ?? "5";
}

function resolutionProblem(row: Values): TableError | null {
  const missing = [
    ...(row["close_code"] ? [] : ["Resolution code"]),
    ...(row["close_notes"] ? [] : ["Resolution notes"]),
  ];
  return row["state"] === "6" && missing.length > 0
    ? refused(`Data Policy Exception: The following fields are mandatory: ${missing.join(", ")}`)
    : null;
}

function refused(detail: string): TableError {
  return { status: 403, message: "Operation Failed", detail };
}
