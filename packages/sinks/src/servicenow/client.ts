import { type HttpClient, type HttpResponse, WinnowError } from "@winnow/platform";
import type { Clock, SinkCall, SinkResult } from "@winnow/ports";
import { type Failure, failureOf, refusalOf, resultOf } from "./answers.ts";
import type { Authenticator } from "./auth.ts";
import { type Fields, namesReference, type ServiceNowRecord } from "./mapping.ts";

const readTimeoutMs = 30_000;
/** Rows that a lookup asks for: the limit is applied before access rules, so one would not do. */
const lookupRows = 20;
const journalMark = "[winnow #";

/** A row that a lookup has verified: its correlation id is the one that was asked for. */
export interface FoundRow {
  readonly sys_id: string;
  readonly number: string;
  readonly state: string;
  readonly created: string;
}

interface CreatedRow {
  readonly sys_id: string;
  readonly number: string;
  /** As stored; differs from what was sent when the instance does not keep it. */
  readonly correlation_id: string;
  /** Empty when ServiceNow did not know the group's name. */
  readonly assignment_group: string;
}

/** The calls of ServiceNow's Table API that a destination needs. HTTP only: no decisions, no retries. */
export interface ServiceNowClient {
  create(fields: Fields, call: SinkCall): Promise<SinkResult<CreatedRow>>;
  patch(sysId: string, fields: Fields, call: SinkCall): Promise<SinkResult<null>>;
  /** null when there is no such record, or none that we may see. */
  read(sysId: string, call: SinkCall): Promise<SinkResult<ServiceNowRecord | null>>;
  /** Every row with this correlation id, oldest first. */
  lookup(correlationId: string, call: SinkCall): Promise<SinkResult<readonly FoundRow[]>>;
  close(): Promise<void>;
}

interface Wire {
  readonly http: HttpClient;
  readonly auth: Authenticator;
  readonly clock: Clock;
  /** Without a slash at its end. */
  readonly url: string;
  readonly writeTimeoutMs: number;
}

interface Ask {
  readonly method: "GET" | "POST" | "PATCH";
  readonly path: string;
  readonly query: Fields;
  readonly body?: Fields;
}

type Answer = { readonly kind: "answer"; readonly response: HttpResponse } | Failure;

export function createClient(wire: Wire): ServiceNowClient {
  return {
    create: (fields, call) => create(wire, fields, call),
    patch: (sysId, fields, call) => patch(wire, sysId, { fields, call }),
    read: (sysId, call) => read(wire, sysId, call),
    lookup: (correlationId, call) => lookup(wire, correlationId, call),
    close: () => wire.http.close(),
  };
}

async function create(wire: Wire, fields: Fields, call: SinkCall): Promise<SinkResult<CreatedRow>> {
  const query = { ...writeQuery(fields), sysparm_fields: "sys_id,number,correlation_id,assignment_group" };
  const answer = await ask(wire, { method: "POST", path: "/api/now/table/incident", query, body: fields }, call);
  if (answer.kind !== "answer") {
    return answer;
  }
  const row = asRow(resultOf(answer.response));
  const sysId = textOf(row?.["sys_id"]);
  if (answer.response.status !== 201 || row === undefined || sysId === "") {
    return refusal(wire, answer.response, true);
  }
  return {
    kind: "done",
    value: {
      sys_id: sysId,
      number: textOf(row["number"]),
      correlation_id: textOf(row["correlation_id"]),
      assignment_group: textOf(row["assignment_group"]),
    },
  };
}

async function patch(
  wire: Wire,
  sysId: string,
  { fields, call }: { readonly fields: Fields; readonly call: SinkCall },
): Promise<SinkResult<null>> {
  const query = { ...writeQuery(fields), sysparm_fields: "sys_id" };
  const answer = await ask(wire, { method: "PATCH", path: recordPath(sysId), query, body: fields }, call);
  if (answer.kind !== "answer") {
    return answer;
  }
  const isDone = answer.response.status === 200 && textOf(asRow(resultOf(answer.response))?.["sys_id"]) === sysId;
  return isDone ? { kind: "done", value: null } : refusal(wire, answer.response, true);
}

const recordFields = "sys_id,number,state,correlation_id,description,resolved_at";

async function read(wire: Wire, sysId: string, call: SinkCall): Promise<SinkResult<ServiceNowRecord | null>> {
  const whole = await readRecord(wire, { sysId, fields: `${recordFields},work_notes` }, call);
  if (whole.kind !== "refused" || whole.code !== "http_failed") {
    return whole;
  }
  // A ticket's whole journal may be longer than the longest response that is read: then ask for our last entry alone.
  const bare = await readRecord(wire, { sysId, fields: recordFields }, call);
  if (bare.kind !== "done" || bare.value === null) {
    return bare;
  }
  const journal = await lastEntry(wire, sysId, call);
  return journal.kind === "done" ? { kind: "done", value: { ...bare.value, journal: journal.value } } : journal;
}

async function readRecord(
  wire: Wire,
  { sysId, fields }: { readonly sysId: string; readonly fields: string },
  call: SinkCall,
): Promise<SinkResult<ServiceNowRecord | null>> {
  // `all` gives display values beside the stored ones: a journal field shows its entries in the former only.
  const query = { sysparm_fields: fields, sysparm_display_value: "all", sysparm_exclude_reference_link: "true" };
  const answer = await ask(wire, { method: "GET", path: recordPath(sysId), query }, call);
  if (answer.kind !== "answer") {
    return answer;
  }
  if (answer.response.status === 404) {
    return { kind: "done", value: null };
  }
  const row = asRow(resultOf(answer.response));
  if (answer.response.status !== 200 || row === undefined || textOf(row["sys_id"]) !== sysId) {
    return refusal(wire, answer.response, false);
  }
  const value: ServiceNowRecord = {
    sys_id: sysId,
    number: textOf(row["number"]),
    state: textOf(row["state"]),
    correlation_id: textOf(row["correlation_id"]),
    description: textOf(row["description"]),
    resolved_at: textOf(row["resolved_at"]),
    journal: displayOf(row["work_notes"]),
  };
  return { kind: "done", value };
}

async function lastEntry(wire: Wire, sysId: string, call: SinkCall): Promise<SinkResult<string>> {
  const query = {
    sysparm_query: `element_id=${sysId}^element=work_notes^valueLIKE${journalMark}^ORDERBYDESCsys_created_on`,
    sysparm_fields: "element_id,value",
    sysparm_limit: "1",
  };
  const rows = await list(wire, "/api/now/v2/table/sys_journal_field", { query, call });
  if (rows.kind !== "done") {
    return rows;
  }
  const ours = rows.value.filter((row) => textOf(row["element_id"]) === sysId);
  return { kind: "done", value: ours.map((row) => textOf(row["value"])).join("\n") };
}

async function lookup(wire: Wire, correlationId: string, call: SinkCall): Promise<SinkResult<readonly FoundRow[]>> {
  const query = {
    sysparm_query: `correlation_id=${correlationId}^ORDERBYsys_created_on`,
    sysparm_fields: "sys_id,number,state,correlation_id,sys_created_on",
    sysparm_limit: String(lookupRows),
  };
  const rows = await list(wire, "/api/now/v2/table/incident", { query, call });
  if (rows.kind !== "done") {
    return rows;
  }
  // Parts of a query that ServiceNow cannot use are ignored without a word, and unrelated rows come back.
  const ours = rows.value.filter((row) => textOf(row["correlation_id"]) === correlationId);
  if (ours.length === 0 && rows.value.length >= lookupRows) {
    return {
      kind: "refused",
      retry: "later",
      code: "lookup_unreliable",
      message: `ServiceNow answered a lookup by correlation_id with ${rows.value.length} unrelated incidents`,
    };
  }
  const found = ours.map((row) => ({
    sys_id: textOf(row["sys_id"]),
    number: textOf(row["number"]),
    state: textOf(row["state"]),
    created: textOf(row["sys_created_on"]),
  }));
  return { kind: "done", value: found };
}

async function list(
  wire: Wire,
  path: string,
  { query, call }: { readonly query: Fields; readonly call: SinkCall },
): Promise<SinkResult<readonly Row[]>> {
  const answer = await ask(wire, { method: "GET", path, query }, call);
  if (answer.kind !== "answer") {
    return answer;
  }
  const rows = resultOf(answer.response);
  return answer.response.status === 200 && Array.isArray(rows)
    ? { kind: "done", value: rows.map(asRow).filter((row) => row !== undefined) }
    : refusal(wire, answer.response, false);
}

async function ask(wire: Wire, request: Ask, call: SinkCall): Promise<Answer> {
  const first = await send(wire, request, call);
  if (first.kind === "answer" && first.response.status === 401 && wire.auth.renew()) {
    // An expired token: nothing was carried out, so the same request may go once more.
    return send(wire, request, call);
  }
  return first;
}

async function send(wire: Wire, request: Ask, call: SinkCall): Promise<Answer> {
  const isWrite = request.body !== undefined;
  const credentials = await wire.auth.headers(call.signal);
  if (isRefusal(credentials)) {
    return credentials;
  }
  try {
    const response = await wire.http.request({
      method: request.method,
      url: `${wire.url}${request.path}?${new URLSearchParams(request.query).toString()}`,
      headers: {
        ...credentials,
        accept: "application/json",
        ...(isWrite ? { "content-type": "application/json" } : {}),
      },
      ...(isWrite ? { body: JSON.stringify(request.body), beforeSend: call.beforeSend } : {}),
      timeoutMs: isWrite ? wire.writeTimeoutMs : readTimeoutMs,
      signal: call.signal,
    });
    return { kind: "answer", response };
  } catch (error) {
    if (error instanceof WinnowError) {
      return failureOf(error, isWrite);
    }
    throw error;
  }
}

function isRefusal(
  value: Readonly<Record<string, string>> | Extract<Failure, { kind: "refused" }>,
): value is Extract<Failure, { kind: "refused" }> {
  return value["kind" as keyof typeof value] === "refused";
}

function refusal(wire: Wire, response: HttpResponse, isWrite: boolean): Failure {
  return refusalOf(response, { isWrite, nowMs: wire.clock.now(), redact: (text) => wire.auth.redact(text) });
}

/** Names of references are looked up by ServiceNow only when told to; the flag would shift dates, so only then. */
function writeQuery(fields: Fields): Fields {
  return {
    sysparm_exclude_reference_link: "true",
    ...(namesReference(fields) ? { sysparm_input_display_value: "true" } : {}),
  };
}

function recordPath(sysId: string): string {
  return `/api/now/table/incident/${encodeURIComponent(sysId)}`;
}

type Row = Readonly<Record<string, unknown>>;

function asRow(value: unknown): Row | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Row) : undefined;
}

/** A field's stored value: plain text, or the `value` of a pair. */
function textOf(field: unknown): string {
  const value = asRow(field)?.["value"] ?? field;
  return typeof value === "string" ? value : "";
}

function displayOf(field: unknown): string {
  const value = asRow(field)?.["display_value"] ?? field;
  return typeof value === "string" ? value : "";
}
