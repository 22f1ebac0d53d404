import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import { deliveryStates, incidentStates, priorities } from "@winnow/contracts";
import type { IncidentReader, IncidentRow } from "@winnow/ports";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { sendProblem } from "../problem.ts";
import type { Desk } from "../server.ts";
import { deliveryView, incidentView, memberView, timelineView } from "../views.ts";
import { byId, objectOf, oneOf, pageOf, sendJson, wordsOf } from "./input.ts";

const textMax = 10_000;
const keyMax = 255;
/** Incidents read at once when one is looked for by its number. */
const numberPage = 500;

/** Incidents: list, one, its members, story and reasons; what people do with them; deliveries. */
export function incidentRoutes(app: FastifyInstance, desk: Desk): void {
  const { store } = desk.options;
  const api = app.withTypeProvider<TypeBoxTypeProvider>();
  app.get("/v1/incidents", async (request, reply) => listIncidents(desk, request, reply));
  api.get("/v1/incidents/:id", byId, async (request, reply) => {
    const row = await found(desk, request.params.id, { request, reply });
    if (row === null) return reply;
    return sendJson(reply, incidentView(row, await store.deliveriesOf([row.snapshot.incident_id])));
  });
  api.get("/v1/incidents/:id/members", byId, async (request, reply) => {
    const row = await found(desk, request.params.id, { request, reply });
    const page = row === null ? null : pageOf(request, reply);
    if (row === null || page === null) return reply;
    const members = await store.members(row.snapshot.incident_id, page);
    return sendJson(reply, { items: members.items.map(memberView), next_cursor: members.next_cursor });
  });
  api.get("/v1/incidents/:id/timeline", byId, async (request, reply) => {
    const story = await storyOf(desk, request.params.id, { request, reply });
    if (story === null) return reply;
    return sendJson(reply, { items: story.lines.map(timelineView), next_cursor: story.next });
  });
  api.get("/v1/incidents/:id/explanation", byId, async (request, reply) => {
    const story = await storyOf(desk, request.params.id, { request, reply });
    if (story === null) return reply;
    const items = await desk.explainer.incident(story.row, story.lines);
    return sendJson(reply, { items, next_cursor: story.next });
  });
  for (const action of ["ack", "resolve", "note"] as const)
    api.post(`/v1/incidents/:id/${action}`, byId, async (request, reply) =>
      act(desk, { action, id: request.params.id }, request, reply),
    );
  app.get("/v1/deliveries", async (request, reply) => listDeliveries(desk, request, reply));
}

interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** The incident that the path names, by id or by number, for a caller who may read. */
async function found(desk: Desk, id: string, { request, reply }: Exchange): Promise<IncidentRow | null> {
  if ((await desk.admit(request, reply, "read")) === null) return null;
  return named(desk, id, reply);
}

/** People read numbers to each other; programs use ids. Null: the refusal has been sent. */
async function named(desk: Desk, name: string, reply: FastifyReply): Promise<IncidentRow | null> {
  const { store } = desk.options;
  if (!/^\d{1,12}$/.test(name)) {
    const row = await store.incident(name);
    if (row === null) sendProblem(reply, "not_found", "no incident has this id");
    return row;
  }
  const rows = await numbered(store, Number(name));
  if (rows.length < 2) {
    if (rows[0] === undefined) sendProblem(reply, "not_found", "no incident has this number");
    return rows[0] ?? null;
  }
  const ids = rows.map((row) => row.snapshot.incident_id).join(", ");
  sendProblem(reply, "conflict", `each scope counts its own incidents, and several have this number: ${ids}`);
  return null;
}

/** Every incident with this number. The store looks for the digits anywhere in its text, so that others are read past. */
async function numbered(store: IncidentReader, number: number): Promise<IncidentRow[]> {
  const rows: IncidentRow[] = [];
  for (let cursor: string | undefined; ; ) {
    const q = String(number);
    const page = await store.incidents({ q, limit: numberPage, ...(cursor === undefined ? {} : { cursor }) });
    rows.push(...page.items.filter((row) => row.snapshot.number === number));
    if (page.next_cursor === null) return rows;
    cursor = page.next_cursor;
  }
}

async function listIncidents(desk: Desk, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  if ((await desk.admit(request, reply, "read")) === null) return reply;
  const page = pageOf(request, reply);
  const states = page === null ? null : wordsOf(request, reply, "state", incidentStates);
  const wanted = states === null ? null : wordsOf(request, reply, "priority", priorities);
  if (page === null || states === null || wanted === null) return reply;
  const q = oneOf(request, "q");
  const { store } = desk.options;
  const rows = await store.incidents({
    ...page,
    ...(states.length === 0 ? {} : { states }),
    ...(wanted.length === 0 ? {} : { priorities: wanted }),
    ...(q === undefined ? {} : { q }),
  });
  const deliveries = await store.deliveriesOf(rows.items.map((row) => row.snapshot.incident_id));
  return sendJson(reply, {
    items: rows.items.map((row) => incidentView(row, deliveries)),
    next_cursor: rows.next_cursor,
  });
}

async function storyOf(desk: Desk, id: string, { request, reply }: Exchange) {
  const row = await found(desk, id, { request, reply });
  const page = row === null ? null : pageOf(request, reply);
  if (row === null || page === null) return null;
  const after = Number(page.cursor ?? "0");
  const from = Number.isSafeInteger(after) && after >= 0 ? after : 0;
  const lines = await desk.options.store.timeline(row.snapshot.incident_id, from, page.limit);
  const next = lines.length < page.limit ? null : String(lines.at(-1)?.seq ?? from);
  return { row, lines, next };
}

async function act(
  desk: Desk,
  wanted: { readonly action: "ack" | "resolve" | "note"; readonly id: string },
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { action, id } = wanted;
  const caller = await desk.admit(request, reply, "act");
  const body = caller === null ? null : objectOf(request, reply);
  if (caller === null || body === null) return reply;
  const { store, ids } = desk.options;
  const row = await named(desk, id, reply);
  if (row === null) return reply;
  const text = body["text"] ?? "";
  if (typeof text !== "string" || text.length > textMax)
    return sendProblem(reply, "bad_request", `text must be a string of at most ${textMax} characters`);
  if (action === "note" && text === "") return sendProblem(reply, "bad_request", "a note needs a text");
  const key = request.headers["idempotency-key"];
  if (typeof key === "string" && key.length > keyMax)
    return sendProblem(reply, "bad_request", `Idempotency-Key may have ${keyMax} characters at most`);
  const actionId = typeof key === "string" && key !== "" ? `${action}:${key}` : ids.token();
  const applied = await desk.actions.act(row, {
    action_id: actionId,
    incident_id: row.snapshot.incident_id,
    action,
    actor: caller.name,
    text,
  });
  const shown = applied ?? row;
  const deliveries = await store.deliveriesOf([row.snapshot.incident_id]);
  // 202: the action is durable and will be applied; it was not within the waiting time.
  return sendJson(reply, incidentView(shown, deliveries), applied === null ? 202 : 200);
}

async function listDeliveries(desk: Desk, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  if ((await desk.admit(request, reply, "read")) === null) return reply;
  const page = pageOf(request, reply);
  const states = page === null ? null : wordsOf(request, reply, "state", deliveryStates);
  if (page === null || states === null) return reply;
  const destination = oneOf(request, "destination");
  const rows = await desk.options.store.deliveries({
    ...page,
    ...(states.length === 0 ? {} : { states }),
    ...(destination === undefined ? {} : { destination }),
  });
  return sendJson(reply, { items: rows.items.map(deliveryView), next_cursor: rows.next_cursor });
}
