import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import { severities } from "@winnow/contracts";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { Type } from "typebox";
import type { AlertFilter } from "../alerts.ts";
import { sendProblem } from "../problem.ts";
import type { Desk } from "../server.ts";
import { oneOf, pageOf, sendJson, wordsOf } from "./input.ts";

const byFingerprint = Type.Object({ fingerprint: Type.String() });

/** Alerts: the state behind each fingerprint. */
export function alertRoutes(app: FastifyInstance, desk: Desk): void {
  app.get("/v1/alerts", async (request, reply) => {
    if ((await desk.admit(request, reply, "read")) === null) return reply;
    const page = pageOf(request, reply);
    const filter = page === null ? null : filterOf(request, reply);
    if (page === null || filter === null) return reply;
    return sendJson(reply, await desk.alerts.page(filter, page));
  });
  const api = app.withTypeProvider<TypeBoxTypeProvider>();
  api.get("/v1/alerts/:fingerprint", { schema: { params: byFingerprint } }, async (request, reply) => {
    if ((await desk.admit(request, reply, "read")) === null) return reply;
    const found = await desk.alerts.one(request.params.fingerprint);
    return found === null
      ? sendProblem(reply, "not_found", "no alert has this fingerprint")
      : sendJson(reply, found.alert);
  });
}

function filterOf(request: FastifyRequest, reply: FastifyReply): AlertFilter | null {
  const statuses = wordsOf(request, reply, "status", ["firing", "resolved"] as const);
  const levels = statuses === null ? null : wordsOf(request, reply, "severity", severities);
  if (statuses === null || levels === null) return null;
  const integration = oneOf(request, "integration");
  return {
    ...(statuses[0] === undefined ? {} : { status: statuses[0] }),
    ...(levels[0] === undefined ? {} : { severity: levels[0] }),
    ...(integration === undefined ? {} : { integration }),
  };
}
