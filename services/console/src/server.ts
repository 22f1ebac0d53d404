import { WinnowError } from "@winnow/platform";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { Actions } from "./actions.ts";
import { Alerts } from "./alerts.ts";
import { EventStreams } from "./event-stream.ts";
import { Explainer } from "./explain.ts";
import type { ConsoleOptions } from "./options.ts";
import { sendProblem } from "./problem.ts";
import { alertRoutes } from "./routes/alerts.ts";
import { deadLetterRoutes } from "./routes/dead-letters.ts";
import { incidentRoutes } from "./routes/incidents.ts";
import { operatingRoutes } from "./routes/operating.ts";
import { ruleRoutes } from "./routes/rules.ts";
import { type Caller, type Scope, Tokens } from "./tokens.ts";

/** What every route works with. */
export interface Desk {
  readonly options: ConsoleOptions;
  readonly tokens: Tokens;
  readonly actions: Actions;
  readonly alerts: Alerts;
  readonly explainer: Explainer;
  readonly streams: EventStreams;
  /** The caller when its scopes allow this; else the refusal has been sent and null comes back. */
  admit(request: FastifyRequest, reply: FastifyReply, scope: Scope): Promise<Caller | null>;
}

/** The HTTP API: reading, acting, operating. Mounted on the server that the receiver shares. */
export async function consoleRoutes(app: FastifyInstance, options: ConsoleOptions): Promise<Desk> {
  const tokens = new Tokens(options);
  const desk: Desk = {
    options,
    tokens,
    actions: new Actions(options),
    alerts: new Alerts({ ...options, partitions: options.log.partitions }),
    explainer: new Explainer(options),
    streams: new EventStreams(options),
    admit: async (request, reply, scope) => {
      const caller = await tokens.authenticate(request.headers.authorization);
      if (caller === null) sendProblem(reply, "unauthorized");
      else if (!caller.scopes.has(scope)) sendProblem(reply, "forbidden", `the scope ${scope} is missing`);
      else return caller;
      return null;
    },
  };
  app.addHook("preClose", async () => {
    desk.streams.close();
  });
  app.setNotFoundHandler((_request, reply) =>
    sendProblem(reply, "not_found", "there is nothing at this path and method"),
  );
  await app.register(async (scope) => {
    // Bodies are read as bytes and judged by each route: one caller sends JSON, another YAML.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => {
      done(null, body);
    });
    scope.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
      if (error.statusCode === 413) return sendProblem(reply, "body_too_large");
      if (error.statusCode !== undefined && error.statusCode < 500)
        return sendProblem(reply, "bad_request", error.message);
      if (error instanceof WinnowError && error.retry === "retryable") {
        options.logger.warn("a request could not be served", { route: request.routeOptions.url ?? "", error });
        return sendProblem(reply, "unavailable");
      }
      options.logger.error("a request failed", { route: request.routeOptions.url ?? "", error });
      return sendProblem(reply, "internal");
    });
    incidentRoutes(scope, desk);
    alertRoutes(scope, desk);
    deadLetterRoutes(scope, desk);
    ruleRoutes(scope, desk);
    operatingRoutes(scope, desk);
  });
  return desk;
}
