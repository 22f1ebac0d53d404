import type { FoundTicket, RemoteTicket, SinkCall, SinkResult, TicketContent, TicketSink } from "@winnow/ports";
import { defineSink, type SinkContext } from "../sink-type.ts";
import { createAuthenticator } from "./auth.ts";
import { createClient, type FoundRow, type ServiceNowClient } from "./client.ts";
import { resolveAuth, ServiceNowConfig } from "./config.ts";
import { serviceNowFake } from "./fake.ts";
import { correlationIdOf, createFields, isOver, planUpdate, shows, states } from "./mapping.ts";

const guarantee =
  "exactly one: after a lost answer the ticket is looked up by its correlation id before anything is repeated";

/** ServiceNow incidents through the Table API: class C, its search reads what was written. */
export const serviceNow = defineSink({
  type: "servicenow",
  title: "ServiceNow",
  class: "C",
  guarantee,
  configSchema: ServiceNowConfig,
  create: (config, context) => createServiceNowSink(config, context),
  fake: serviceNowFake,
});

interface Sink {
  readonly client: ServiceNowClient;
  readonly config: ServiceNowConfig;
  readonly context: SinkContext;
  readonly url: string;
}

function createServiceNowSink(config: ServiceNowConfig, context: SinkContext): TicketSink {
  const url = config.url.replace(/\/+$/, "");
  const http = context.httpClient({ bodyTimeoutMs: config.timeout });
  const auth = createAuthenticator(resolveAuth(config.auth), { http, url, clock: context.clock });
  const client = createClient({ http, auth, url, clock: context.clock, writeTimeoutMs: config.timeout });
  const sink: Sink = { client, config, context, url };
  return {
    type: "servicenow",
    class: "C",
    killTimeMs: config.kill_time,
    settleMs: 0,
    guarantee,
    create: (content, call) => create(sink, content, call),
    update: (remote, content, call) => update(sink, remote, { content, call }),
    find: (key, call) => find(sink, key, call),
    confirm: (remote, content, call) => confirm(sink, remote, { content, call }),
    close: () => client.close(),
  };
}

async function create(sink: Sink, content: TicketContent, call: SinkCall): Promise<SinkResult<RemoteTicket>> {
  const predecessor = content.predecessor === null ? undefined : await numberOf(sink, content.predecessor, call);
  const fields = createFields(content, sink.config, predecessor);
  const result = await sink.client.create(fields, call);
  if (result.kind !== "done") {
    return result;
  }
  const row = result.value;
  if (row.correlation_id !== fields["correlation_id"]) {
    warn(sink, row.number, "ServiceNow did not keep correlation_id: may the integration's user write that field?");
  }
  if (fields["assignment_group"] !== undefined && row.assignment_group === "") {
    warn(sink, row.number, "ServiceNow did not keep assignment_group: is there a group of that name?");
  }
  return { kind: "done", value: ticket(sink, row) };
}

async function update(
  sink: Sink,
  remote: RemoteTicket,
  { content, call }: { readonly content: TicketContent; readonly call: SinkCall },
): Promise<SinkResult<RemoteTicket>> {
  const read = await sink.client.read(remote.remote_id, call);
  if (read.kind !== "done") {
    return read;
  }
  if (read.value === null) {
    return await adopt(sink, remote, { content, call });
  }
  const record = read.value;
  const plan = planUpdate(record, content, sink.config);
  if (plan.kind === "gone") {
    return gone(`${record.number} is closed and cannot be opened again`);
  }
  const here = ticket(sink, record);
  if (plan.kind === "nothing") {
    return { kind: "done", value: here };
  }
  const result = await sink.client.patch(record.sys_id, plan.fields, call);
  if (result.kind === "refused" && result.code === "http_403") {
    return (await closedMeanwhile(sink, remote, { content, call })) ?? result;
  }
  return result.kind === "done" ? { kind: "done", value: here } : result;
}

/** 404 for our ticket: deleted, or put aside for another with the same key. */
async function adopt(
  sink: Sink,
  remote: RemoteTicket,
  { content, call }: { readonly content: TicketContent; readonly call: SinkCall },
): Promise<SinkResult<RemoteTicket>> {
  const found = await find(sink, content.key, call);
  if (found.kind !== "done") {
    return found;
  }
  if (found.value !== null && found.value.remote_id !== remote.remote_id) {
    return await update(sink, found.value, { content, call });
  }
  if (found.value !== null) {
    const message = "ServiceNow lists the ticket but does not show it: may the integration's user read it?";
    return { kind: "refused", retry: "never", code: "ticket_hidden", message };
  }
  return isOver(content) ? { kind: "done", value: remote } : gone("The ticket was deleted in ServiceNow");
}

/** A refused update may mean that somebody closed the ticket between our read and our write. */
async function closedMeanwhile(
  sink: Sink,
  remote: RemoteTicket,
  { content, call }: { readonly content: TicketContent; readonly call: SinkCall },
): Promise<SinkResult<RemoteTicket> | undefined> {
  const read = await sink.client.read(remote.remote_id, call);
  if (read.kind !== "done" || read.value === null) {
    return undefined;
  }
  const plan = planUpdate(read.value, content, sink.config);
  if (plan.kind === "gone") {
    return gone(`${read.value.number} is closed and cannot be opened again`);
  }
  return plan.kind === "nothing" ? { kind: "done", value: ticket(sink, read.value) } : undefined;
}

async function find(sink: Sink, key: string, call: SinkCall): Promise<SinkResult<FoundTicket | null>> {
  const result = await sink.client.lookup(correlationIdOf(key), call);
  if (result.kind !== "done") {
    return result;
  }
  const [first, ...others] = result.value.toSorted(openFirst);
  if (first === undefined) {
    return { kind: "done", value: null };
  }
  return {
    kind: "done",
    value: { ...ticket(sink, first), twins: others.map((row) => ticket(sink, row)) },
  };
}

async function confirm(
  sink: Sink,
  remote: RemoteTicket,
  { content, call }: { readonly content: TicketContent; readonly call: SinkCall },
): Promise<SinkResult<boolean>> {
  const read = await sink.client.read(remote.remote_id, call);
  if (read.kind !== "done") {
    return read;
  }
  return { kind: "done", value: read.value !== null && shows(read.value, content, sink.config) };
}

async function numberOf(sink: Sink, sysId: string, call: SinkCall): Promise<string | undefined> {
  const read = await sink.client.read(sysId, call);
  return read.kind === "done" ? read.value?.number : undefined;
}

/** Of several tickets with one key the oldest open one stands; a resolved one before a closed one. */
function openFirst(left: FoundRow, right: FoundRow): number {
  return (
    rank(left.state) - rank(right.state) ||
    left.created.localeCompare(right.created) ||
    left.number.localeCompare(right.number)
  );
}

function rank(state: string): number {
  if (state === states.closed || state === states.canceled) {
    return 2;
  }
  return state === states.resolved ? 1 : 0;
}

/** The URL carries the number as its fragment, which ServiceNow ignores and people recognise. */
function ticket(sink: Sink, row: { readonly sys_id: string; readonly number: string }): RemoteTicket {
  const target = encodeURIComponent(`incident.do?sys_id=${row.sys_id}`);
  return { remote_id: row.sys_id, remote_url: `${sink.url}/nav_to.do?uri=${target}#${row.number}` };
}

function gone(message: string): SinkResult<never> {
  return { kind: "gone", code: "ticket_closed", message };
}

function warn(sink: Sink, number: string, message: string): void {
  sink.context.log.warn({ destination: sink.context.destination, ticket: number }, message);
}
