import { Readable } from "node:stream";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { readAccounting } from "../accounting.ts";
import { openApi } from "../open-api.ts";
import { sendProblem } from "../problem.ts";
import type { Desk } from "../server.ts";
import { type Scope, scopes } from "../tokens.ts";
import { timeOrNull, timeText } from "../views.ts";
import { byId, objectOf, sendJson } from "./input.ts";

/** Health, metrics, accounting, events, tokens, reload, the API's own description. */
export function operatingRoutes(app: FastifyInstance, desk: Desk): void {
  const { options } = desk;
  app.get("/healthz", async (_request, reply) => sendJson(reply, { status: "ok" }));
  app.get("/readyz", async (_request, reply) => {
    const checks = await options.health();
    const ready = checks.every((check) => check.ok);
    return sendJson(reply, { status: ready ? "ready" : "not_ready", checks }, ready ? 200 : 503);
  });
  app.get("/metrics", async (_request, reply) =>
    reply.header("content-type", options.metrics.contentType).send(await options.metrics.render()),
  );
  app.get("/openapi.json", async (_request, reply) => sendJson(reply, openApi(options.version)));
  app.get("/v1/accounting", async (request, reply) => {
    if ((await desk.admit(request, reply, "read")) === null) return reply;
    return sendJson(reply, await readAccounting(options.log, options.windows));
  });
  app.get("/v1/events", async (request, reply) => streamEvents(desk, request, reply));
  app.post("/-/reload", async (request, reply) => {
    if ((await desk.admit(request, reply, "admin")) === null) return reply;
    const verdict = await options.reload();
    return verdict.ok
      ? sendJson(reply, { ok: true, warnings: verdict.warnings })
      : sendProblem(reply, "config_invalid", undefined, verdict.errors);
  });
  tokenRoutes(app, desk);
}

async function streamEvents(desk: Desk, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  if ((await desk.admit(request, reply, "read")) === null) return reply;
  if (desk.streams.full) return sendProblem(reply, "unavailable", "too many open event streams");
  const last = request.headers["last-event-id"];
  const stop = new AbortController();
  request.raw.socket.once("close", () => {
    stop.abort();
  });
  const source = desk.streams.stream(typeof last === "string" ? last : undefined, stop.signal);
  return reply
    .header("content-type", "text/event-stream")
    .header("cache-control", "no-store")
    .header("x-accel-buffering", "no")
    .send(Readable.from(source));
}

function tokenRoutes(app: FastifyInstance, desk: Desk): void {
  app.get("/v1/tokens", async (request, reply) => {
    if ((await desk.admit(request, reply, "admin")) === null) return reply;
    const items = (await desk.tokens.list()).map((token) => ({
      id: token.id,
      name: token.name,
      scopes: token.scopes,
      created_at: timeText(token.created_ms),
      revoked_at: timeOrNull(token.revoked_ms),
    }));
    return sendJson(reply, { items, next_cursor: null });
  });
  app.post("/v1/tokens", async (request, reply) => {
    if ((await desk.admit(request, reply, "admin")) === null) return reply;
    const body = objectOf(request, reply);
    if (body === null) return reply;
    const { name, scopes: wanted = ["read"] } = body;
    if (typeof name !== "string" || name === "" || name.length > 100)
      return sendProblem(reply, "bad_request", "name must be a text of 1 to 100 characters");
    const known: readonly unknown[] = scopes;
    if (!Array.isArray(wanted) || wanted.length === 0 || wanted.some((scope) => !known.includes(scope)))
      return sendProblem(reply, "bad_request", `scopes must be a list out of ${scopes.join(", ")}`);
    return sendJson(reply, await desk.tokens.create(name, wanted as Scope[]), 201);
  });
  app.withTypeProvider<TypeBoxTypeProvider>().delete("/v1/tokens/:id", byId, async (request, reply) => {
    if ((await desk.admit(request, reply, "admin")) === null) return reply;
    const revoked = await desk.tokens.revoke(request.params.id);
    return revoked ? sendJson(reply, { revoked: true }) : sendProblem(reply, "not_found", "no live token has this id");
  });
}
