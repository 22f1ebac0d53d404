import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import { severities } from "@winnow/contracts";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { Type } from "typebox";
import type { AlertFilter } from "../alerts.ts";
import { sendProblem } from "../problem.ts";
import type { Desk } from "../server.ts";
import { listOf, pageOf, sendJson, wordsOf } from "./input.ts";

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
  const wanted = statuses === null ? null : wordsOf(request, reply, "severity", severities);
  if (statuses === null || wanted === null) return null;
  const integrations = listOf(request, "integration");
  return {
    ...(statuses.length === 0 ? {} : { statuses }),
    ...(wanted.length === 0 ? {} : { severities: wanted }),
    ...(integrations.length === 0 ? {} : { integrations }),
  };
}
