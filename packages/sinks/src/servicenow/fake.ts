import { createHash } from "node:crypto";
import { type Fault, faultKinds, type Operation } from "../fake/faults.ts";
import type { Ledger } from "../fake/ledger.ts";
import {
  type FakeOptions,
  type FakeReply,
  type FakeRequest,
  type FakeServer,
  parseJson,
  startFakeServer,
  type Vendor,
} from "../fake/server.ts";
import type { FakeTicket, SinkFake } from "../sink-type.ts";
import { runQuery, type StoredRow } from "./fake-query.ts";
import { IncidentTable, incidentFields, type JournalEntry, type TableError, vendorTime } from "./fake-table.ts";

const token = "fake-oauth-token";
/** What the fake's own configuration logs in with; the fake takes any. */
const password = "fake-password-Zx81";
const references = ["caller_id", "assigned_to", "assignment_group", "business_service", "cmdb_ci", "parent_incident"];
const listRowsMax = 10_000;
const stateLabels: Readonly<Record<string, string>> = {
  "1": "New",
  "2": "In Progress",
  "3": "On Hold",
  "6": "Resolved",
  "7": "Closed",
  "8": "Canceled",
};
const journalFields = new Set(["sys_id", "element_id", "element", "value", "sys_created_on", "sys_created_by"]);

/**
 * A fake ServiceNow instance: the Table API of `incident` (list, read, insert, update), `sys_journal_field`, and the
 * OAuth token endpoint, with the rules of the base system that destinations meet. Written from the vendor's
 * documentation; README.md lists what it knows.
 */
export async function startFakeServicenow(options: FakeOptions): Promise<FakeServer> {
  return await startFakeServer(options, (ledger) => new ServiceNowVendor(ledger));
}

export const serviceNowFake: SinkFake = {
  start: startFakeServicenow,
  config: (url) => ({
    url,
    auth: { basic: { username: "winnow", password: { reveal: () => password } } },
    close_code: "Solution provided",
    contact_type: "monitoring",
    business_service: true,
    fields: {},
    timeout: 5000,
    kill_time: 100,
  }),
  secrets: [password, Buffer.from(`winnow:${password}`).toString("base64")],
  tickets: (server) => ticketsOf(server),
};

function ticketsOf(server: FakeServer): readonly FakeTicket[] {
  const tickets = new Map<string, { row: StoredRow; notes: string[] }>();
  for (const { op, text, ...fields } of server.ledger()) {
    const sysId = String(fields["sys_id"]);
    const ticket = tickets.get(sysId) ?? { row: {}, notes: [] };
    tickets.set(sysId, ticket);
    if (op === "note") {
      ticket.notes.push(String(text));
    } else {
      ticket.row = { ...ticket.row, ...(fields as Record<string, string>) };
    }
  }
  return [...tickets.values()].map(({ row, notes }) => ({
    remote_id: row["sys_id"] ?? "",
    key: row["correlation_id"] ?? "",
    state: row["state"] === "6" ? "resolved" : ["7", "8"].includes(row["state"] ?? "") ? "closed" : "open",
    title: row["short_description"] ?? "",
    description: row["description"] ?? "",
    notes,
  }));
}

interface Target {
  readonly version: "v1" | "v2";
  readonly table: string;
  readonly sysId: string | null;
}

class ServiceNowVendor implements Vendor {
  readonly faults = faultKinds;
  readonly #table: IncidentTable;

  constructor(ledger: Ledger) {
    this.#table = new IncidentTable(ledger);
  }

  operationOf(request: FakeRequest): Operation | null {
    const target = targetOf(request.url);
    if (target === null) {
      return null;
    }
    if (request.method === "POST") {
      return "create";
    }
    if (request.method === "GET") {
      return target.sysId === null ? "search" : "read";
    }
    return "update";
  }

  handle(request: FakeRequest, fault: Fault | null): FakeReply {
    if (request.url.pathname === "/oauth_token.do") {
      return tokenReply(request);
    }
    const user = userOf(request);
    if (user === null) {
      return this.error(401);
    }
    const target = targetOf(request.url);
    if (target === null || !["incident", "sys_journal_field"].includes(target.table)) {
      return failed({ status: 400, message: "Invalid table", detail: null });
    }
    if (target.sysId === null) {
      return request.method === "POST" ? this.#create(request, user) : this.#list(request, target, fault);
    }
    if (fault?.kind === "closed") {
      this.#table.closeByFault(target.sysId);
    }
    return request.method === "GET" ? this.#read(request, target.sysId) : this.#update(request, target.sysId, user);
  }

  error(status: 401 | 429 | 500): FakeReply {
    const texts = {
      401: ["User Not Authenticated", "Required to provide Auth information"],
      429: ["Rate limit exceeded", "Rejected by a rate limit rule; try again later"],
      500: ["Internal error", "Transaction cancelled: maximum execution time exceeded"],
    } as const;
    const [message, detail] = texts[status];
    return failed({ status, message, detail });
  }

  #create(request: FakeRequest, user: string): FakeReply {
    const row = this.#table.insert(valuesOf(request), user);
    if (isError(row)) {
      return failed(row);
    }
    const location = `/api/now/table/incident/${row["sys_id"] ?? ""}`;
    return { status: 201, headers: { location }, body: { result: this.#render(row, request.url) } };
  }

  #update(request: FakeRequest, sysId: string, user: string): FakeReply {
    const row = this.#table.update(sysId, valuesOf(request), user);
    return isError(row) ? failed(row) : { status: 200, body: { result: this.#render(row, request.url) } };
  }

  #read(request: FakeRequest, sysId: string): FakeReply {
    const row = this.#table.row(sysId);
    return row === undefined
      ? failed({
          status: 404,
          message: "No Record found",
          detail: "Record doesn't exist or ACL restricts the record retrieval",
        })
      : { status: 200, body: { result: this.#render(row, request.url) } };
  }

  #list(request: FakeRequest, target: Target, fault: Fault | null): FakeReply {
    const query = request.url.searchParams;
    const encoded = query.get("sysparm_query") ?? "";
    const limit = Number(query.get("sysparm_limit") ?? listRowsMax);
    const offset = Number(query.get("sysparm_offset") ?? 0);
    if (target.table === "sys_journal_field") {
      const entries = this.#table.journal().map((entry: JournalEntry): StoredRow => ({ ...entry }));
      const rows = runQuery(entries, encoded, journalFields).slice(offset, offset + limit);
      return { status: 200, body: { result: rows.map((row) => pick(row, query.get("sysparm_fields"))) } };
    }
    const found = this.#search(encoded, fault).slice(offset, offset + limit);
    if (found.length === 0 && target.version === "v1") {
      return failed({ status: 404, message: "No Record found", detail: "Records matching query not found." });
    }
    return { status: 200, body: { result: found.map((row) => this.#render(row, request.url)) } };
  }

  #search(encoded: string, fault: Fault | null): StoredRow[] {
    const found = runQuery(this.#table.rows(), encoded, incidentFields);
    switch (fault?.kind) {
      case "search_lag": {
        const before = vendorTime(Date.now() - fault.delay_ms);
        return found.filter((row) => (row["sys_created_on"] ?? "") < before);
      }
      case "unrelated_row":
        return [unrelatedRow(), ...found];
      case "two_rows":
        return found[0] === undefined ? found : [...found, this.#twin(found[0])];
      default:
        return found;
    }
  }

  /** A second ticket with the same correlation id, as a lost race leaves it behind. */
  #twin(row: StoredRow): StoredRow {
    const twin = this.#table.insert(row, row["sys_created_by"] ?? "", "fault");
    return isError(twin) ? row : twin;
  }

  #render(row: StoredRow, url: URL): Readonly<Record<string, unknown>> {
    const display = url.searchParams.get("sysparm_display_value") ?? "false";
    const withLinks = url.searchParams.get("sysparm_exclude_reference_link") !== "true";
    const names = url.searchParams.get("sysparm_fields")?.split(",") ?? [...incidentFields, "work_notes", "comments"];
    return Object.fromEntries(
      names
        .map((name) => name.trim())
        .filter((name) => incidentFields.has(name) || name.startsWith("u_") || isJournal(name))
        .map((name) => [name, renderField(this.#field(row, name), { name, display, withLinks })]),
    );
  }

  #field(row: StoredRow, name: string): Field {
    if (isJournal(name)) {
      return { value: "", display: journalText(this.#table.journal(row["sys_id"] ?? ""), name) };
    }
    const value = row[name] ?? "";
    if (references.includes(name) && value !== "") {
      return { value: referenceId(value), display: value };
    }
    return { value, display: name === "state" ? (stateLabels[value] ?? value) : value };
  }
}

interface Field {
  readonly value: string;
  readonly display: string;
}

function renderField(
  field: Field,
  { name, display, withLinks }: { readonly name: string; readonly display: string; readonly withLinks: boolean },
): unknown {
  const isLink = withLinks && references.includes(name) && field.value !== "";
  const link = `/api/now/table/${name}/${field.value}`;
  if (display === "all") {
    return { display_value: field.display, value: field.value, ...(isLink ? { link } : {}) };
  }
  if (display === "true") {
    return isLink ? { display_value: field.display, link } : field.display;
  }
  return isLink ? { link, value: field.value } : field.value;
}

/** All entries as one text, newest first: the form in which the Table API shows a journal field. */
function journalText(entries: readonly JournalEntry[], element: string): string {
  const label = element === "comments" ? "Additional comments" : "Work notes";
  return entries
    .filter((entry) => entry.element === element)
    .map((entry) => `${entry.sys_created_on} - ${entry.sys_created_by} (${label})\n${entry.value}\n\n`)
    .toReversed()
    .join("");
}

function isJournal(name: string): boolean {
  return name === "work_notes" || name === "comments";
}

/** The fake knows every name: its sys_id is derived from it. */
function referenceId(value: string): string {
  return /^[0-9a-f]{32}$/.test(value) ? value : createHash("md5").update(value).digest("hex");
}

function pick(row: StoredRow, fields: string | null): StoredRow {
  const names = fields?.split(",") ?? Object.keys(row);
  return Object.fromEntries(names.map((name) => [name, row[name] ?? ""]));
}

function unrelatedRow(): StoredRow {
  return {
    sys_id: "0".repeat(32),
    number: "INC0000060",
    state: "1",
    short_description: "Unable to connect to email",
    correlation_id: "",
    sys_created_on: "2020-01-01 00:00:00",
  };
}

function targetOf(url: URL): Target | null {
  const [, version, table = "", sysId] =
    /^\/api\/now\/(v[12]\/)?table\/([a-z_]+)(?:\/([^/]+))?$/.exec(url.pathname) ?? [];
  return table === "" ? null : { version: version === "v2/" ? "v2" : "v1", table, sysId: sysId ?? null };
}

function valuesOf(request: FakeRequest): Readonly<Record<string, string>> {
  const body = parseJson(request.text);
  const pairs = typeof body === "object" && body !== null ? Object.entries(body) : [];
  return Object.fromEntries(
    pairs.map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]),
  );
}

/** Any user with a name, any API key, and the token that the token endpoint gives. */
function userOf(request: FakeRequest): string | null {
  const [kind, credentials = ""] = request.headers.authorization?.split(" ") ?? [];
  if (kind === "Basic") {
    const [user = ""] = Buffer.from(credentials, "base64").toString("utf8").split(":");
    return user === "" ? null : user;
  }
  if (kind === "Bearer") {
    return credentials === token ? "oauth.client" : null;
  }
  return typeof request.headers["x-sn-apikey"] === "string" ? "api.key" : null;
}

function tokenReply(request: FakeRequest): FakeReply {
  const form = new URLSearchParams(request.text);
  const isForm = request.headers["content-type"]?.startsWith("application/x-www-form-urlencoded") === true;
  if (
    !isForm ||
    form.get("grant_type") !== "client_credentials" ||
    !form.get("client_id") ||
    !form.get("client_secret")
  ) {
    return { status: 401, body: { error_description: "access_denied", error: "server_error" } };
  }
  return { status: 200, body: { access_token: token, scope: "useraccount", token_type: "Bearer", expires_in: 1800 } };
}

function failed(error: {
  readonly status: number;
  readonly message: string;
  readonly detail: string | null;
}): FakeReply {
  return {
    status: error.status,
    body: { error: { message: error.message, detail: error.detail }, status: "failure" },
  };
}

function isError(row: StoredRow | TableError): row is TableError {
  return typeof (row as TableError).status === "number";
}
