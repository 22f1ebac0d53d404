import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import { deadLetterStates } from "@winnow/contracts";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { sendProblem } from "../problem.ts";
import type { Desk } from "../server.ts";
import { deadLetterView } from "../views.ts";
import { byId, pageOf, sendJson, wordsOf } from "./input.ts";

/** Dead letters: what could not be mapped or decided, kept until a person retries or discards it. */
export function deadLetterRoutes(app: FastifyInstance, desk: Desk): void {
  const { store } = desk.options;
  const api = app.withTypeProvider<TypeBoxTypeProvider>();
  app.get("/v1/dead-letters", async (request, reply) => {
    if ((await desk.admit(request, reply, "read")) === null) return reply;
    const page = pageOf(request, reply);
    const states = page === null ? null : wordsOf(request, reply, "state", deadLetterStates);
    if (page === null || states === null) return reply;
    const rows = await store.deadLetters({ ...page, ...(states.length === 0 ? {} : { states }) });
    return sendJson(reply, { items: rows.items.map(deadLetterView), next_cursor: rows.next_cursor });
  });
  api.get("/v1/dead-letters/:id", byId, async (request, reply) => {
    if ((await desk.admit(request, reply, "read")) === null) return reply;
    const row = await store.deadLetter(request.params.id);
    return row === null
      ? sendProblem(reply, "not_found", "no dead letter has this id")
      : sendJson(reply, deadLetterView(row));
  });
  for (const action of ["retry", "discard"] as const)
    api.post(`/v1/dead-letters/:id/${action}`, byId, async (request, reply) =>
      decide(desk, { action, id: request.params.id }, request, reply),
    );
}

async function decide(
  desk: Desk,
  wanted: { readonly action: "retry" | "discard"; readonly id: string },
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { action } = wanted;
  const caller = await desk.admit(request, reply, "act");
  if (caller === null) return reply;
  const row = await desk.options.store.deadLetter(wanted.id);
  if (row === null) return sendProblem(reply, "not_found", "no dead letter has this id");
  if (row.state === "discarded") return sendProblem(reply, "conflict", "it has been discarded");
  const { retryDeadLetter, hasIntegration } = desk.options;
  if (action === "retry" && !hasIntegration(row.integration))
    return sendProblem(reply, "conflict", `the integration ${row.integration} is not configured`);
  if (action === "retry" && retryDeadLetter === null)
    return sendProblem(reply, "conflict", "this node takes no deliveries: ask a receiver to send it again");
  // The decision goes first on the one way that both take: what is unreadable again waits again behind it.
  await desk.actions.decideDeadLetter({ id: row.id, action, actor: caller.name });
  const result =
    action === "retry" && retryDeadLetter !== null ? await retryDeadLetter(row) : { accepted: 0, dead_lettered: 0 };
  const state = action === "retry" ? "retried" : "discarded";
  return sendJson(reply, { ...deadLetterView(row), state, ...result }, 202);
}
