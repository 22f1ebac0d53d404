import { type AlertEvent, AlertFacts } from "@winnow/contracts";
import { factsOf } from "@winnow/core";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { Value } from "typebox/value";
import { sendProblem } from "../problem.ts";
import type { Desk } from "../server.ts";
import { oneOf, sendJson } from "./input.ts";

/** Judging rules and explaining what they do. */
export function ruleRoutes(app: FastifyInstance, desk: Desk): void {
  app.post("/v1/rules/check", async (request, reply) => {
    if ((await desk.admit(request, reply, "read")) === null) return reply;
    const verdict = desk.options.checkRules(textOf(request));
    return verdict.ok
      ? sendJson(reply, { ok: true, warnings: verdict.warnings })
      : sendProblem(reply, "rules_invalid", undefined, verdict.errors);
  });
  app.post("/v1/explain", async (request, reply) => {
    if ((await desk.admit(request, reply, "read")) === null) return reply;
    const integration = oneOf(request, "integration");
    return integration === undefined
      ? explainJson(desk, request, reply)
      : explainRaw(desk, integration, request, reply);
  });
}

function textOf(request: FastifyRequest): string {
  const body = request.body as Buffer | undefined;
  return body?.toString("utf8") ?? "";
}

/** `{"fingerprint": …}` for a known alert, `{"event": …}` or the event itself for one that need not exist. */
async function explainJson(desk: Desk, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  let body: unknown;
  try {
    body = JSON.parse(textOf(request));
  } catch {
    return sendProblem(reply, "bad_request", "the body is not JSON");
  }
  if (typeof body !== "object" || body === null) return sendProblem(reply, "bad_request", "the body must be an object");
  if ("fingerprint" in body && typeof body.fingerprint === "string" && !("spec" in body)) {
    const found = await desk.alerts.one(body.fingerprint);
    if (found === null) return sendProblem(reply, "not_found", "no alert has this fingerprint");
    return explainFacts(desk, [found.detail.facts], reply);
  }
  const event = "event" in body ? body.event : body;
  if (!isEvent(event))
    return sendProblem(reply, "bad_request", "give a fingerprint, or an event of spec winnow.alert/1");
  const facts = factsOf(event);
  if (Value.Check(AlertFacts, facts)) return explainFacts(desk, [facts], reply);
  const [wrong] = Value.Errors(AlertFacts, facts);
  const what = wrong === undefined ? "" : `: ${wrong.instancePath.replace(/^\//, "")} ${wrong.message}`;
  return sendProblem(reply, "bad_request", `the event is not complete${what}`);
}

function isEvent(value: unknown): value is AlertEvent {
  return typeof value === "object" && value !== null && "spec" in value && value.spec === "winnow.alert/1";
}

/** A body as the tool sends it, read by the integration's source. */
async function explainRaw(
  desk: Desk,
  integration: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const body = (request.body as Buffer | undefined) ?? Buffer.alloc(0);
  const events = await desk.options.readRaw(integration, body, request.headers["content-type"] ?? "");
  if (events === null) return sendProblem(reply, "not_found", "no integration has this name");
  return explainFacts(
    desk,
    events.filter(isEvent).map((event) => factsOf(event)),
    reply,
  );
}

/** One explanation as an object, several (or none) as `items`. */
async function explainFacts(desk: Desk, facts: readonly AlertFacts[], reply: FastifyReply): Promise<FastifyReply> {
  const { store, rules } = desk.options;
  const active = await store.activation();
  const set = active === null ? rules.initial : await rules.get(active.digest);
  const incidents = await store.incidentsOfAlerts(facts.map((fact) => fact.fingerprint));
  const items = await Promise.all(
    facts.map(async (fact) => desk.explainer.alert(fact, set, incidents.get(fact.fingerprint) ?? null)),
  );
  return sendJson(reply, items.length === 1 ? items[0] : { items, next_cursor: null });
}
