import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from "fastify";
import { type ProblemCode, problem } from "./answers.ts";
import { type ReadBody, readBody } from "./read-body.ts";
import type { Opened, Receipt, Receiver, Refusal } from "./receiver.ts";

/** What the inbound scope keeps of a request between its steps. */
interface Visit extends Opened {
  readonly contentType: string | undefined;
  readonly startedAt: number;
}

/** How a family of routes answers; each dialect speaks in its callers' words. */
export interface InboundAnswers {
  refused(reply: FastifyReply, refusal: Refusal): void;
  received(reply: FastifyReply, receipt: Receipt): void;
}

export interface InboundRoute {
  readonly method: "POST" | "PUT";
  readonly url: string;
  /** The integration that the request names. */
  readonly integration: (request: FastifyRequest) => string;
  /** Only integrations of this source type are known at this route. */
  readonly sourceType?: string;
}

const visitKey = Symbol("visit");
type VisitedRequest = FastifyRequest & { [visitKey]: Visit | null };

/**
 * Registers routes that take deliveries, in a scope of their own where every content type is read raw: Fastify would
 * answer 415 to an unusual one and 400 to broken JSON, and both lose alerts.
 */
export function inboundRoutes(
  app: FastifyInstance,
  receiver: Receiver,
  answers: InboundAnswers,
  routes: readonly InboundRoute[],
): void {
  app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", (request, stream, parsed) => {
      const { place } = visitOf(request);
      readBody(stream, receiver.limits.bodyBytes, place, (body) => {
        parsed(null, body);
      });
    });
    scope.setErrorHandler((_error, _request, reply) => {
      problem(reply, "unavailable");
    });
    for (const route of routes) {
      scope.route({
        method: route.method,
        url: route.url,
        onRequest: (request, reply, next) => {
          admit(request, reply, next, { receiver, answers, route });
        },
        handler: (request, reply) => {
          void receive(request, reply, receiver, answers);
        },
      });
    }
    done();
  });
}

function visitOf(request: FastifyRequest): Visit {
  const visit = (request as VisitedRequest)[visitKey];
  if (visit === null) throw new Error("assertion failed: a body is read only after the request was let in");
  return visit;
}

interface Door {
  readonly receiver: Receiver;
  readonly answers: InboundAnswers;
  readonly route: InboundRoute;
}

/** Token and room are looked at before the body is read. */
function admit(request: FastifyRequest, reply: FastifyReply, next: HookHandlerDoneFunction, door: Door): void {
  const { receiver, answers, route } = door;
  const opened = receiver.open(route.integration(request), presentedBy(request), route.sourceType);
  if (typeof opened === "string") {
    answers.refused(reply, opened);
    return;
  }
  const { headers } = request;
  const contentType = headers["content-type"];
  (request as VisitedRequest)[visitKey] = { ...opened, contentType, startedAt: receiver.clock.monotonic() };
  // Without it Fastify asks the catch-all parser instead of judging the type.
  delete headers["content-type"];
  next();
}

/** Every place where a token may stand. */
export function presentedBy(request: FastifyRequest): {
  headers: FastifyRequest["headers"];
  queryToken: string | undefined;
  pathToken: string | undefined;
} {
  const { token: queryToken } = request.query as { token?: unknown };
  const { token: pathToken } = request.params as { token?: string };
  return { headers: request.headers, queryToken: typeof queryToken === "string" ? queryToken : undefined, pathToken };
}

const noBody: ReadBody = { kind: "whole", bytes: Buffer.alloc(0) };

async function receive(
  request: FastifyRequest,
  reply: FastifyReply,
  receiver: Receiver,
  answers: InboundAnswers,
): Promise<void> {
  const visit = visitOf(request);
  try {
    const body = (request.body as ReadBody | undefined) ?? noBody;
    if (body.kind === "aborted") receiver.abandon(visit.integration.name);
    else if (body.kind === "no_room") {
      receiver.refuseForRoom(visit.integration.name);
      answers.refused(reply, "queue_full");
    } else answers.received(reply, await takeBody(request, visit, body, receiver));
  } catch (error) {
    // Nothing that a sender writes may end here; if it does, the sender keeps the alert and comes again.
    receiver.reportBug(visit.integration.name, error);
    problem(reply, "unavailable");
  } finally {
    visit.place.leave();
  }
}

function takeBody(
  request: FastifyRequest,
  visit: Visit,
  body: { readonly kind: "whole" | "head"; readonly bytes: Buffer },
  receiver: Receiver,
): Promise<Receipt> {
  const { contentType, integration, startedAt } = visit;
  // Node joins repeated headers; only set-cookie would be a list, and no sender sets cookies.
  const headers = request.headers as Record<string, string>;
  if (contentType !== undefined) headers["content-type"] = contentType;
  const delivery = {
    integration,
    bytes: body.bytes,
    isTruncated: body.kind === "head",
    contentType,
    contentEncoding: headers["content-encoding"],
    headers,
    receivedMs: receiver.clock.now(),
  };
  return receiver.take(delivery, startedAt, traceparentOf(headers["traceparent"]));
}

/** Version 00 of W3C Trace Context has 55 characters. */
function traceparentOf(header: string | undefined): string | undefined {
  return header !== undefined && /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(header)
    ? header
    : undefined;
}

const problemOf: Readonly<Record<Refusal, ProblemCode>> = {
  unknown_integration: "not_found",
  unauthorized: "unauthorized",
  queue_full: "queue_full",
};

/** Winnow's own words, as docs describe them. */
const nativeAnswers: InboundAnswers = {
  refused: (reply, refusal) => {
    problem(reply, problemOf[refusal]);
  },
  received: (reply, receipt) => {
    if (receipt.kind === "too_large") {
      problem(reply, receipt.code);
    } else if (receipt.kind === "unavailable") {
      problem(reply, "unavailable", { retryAfterS: receipt.retryAfterS });
    } else {
      const { deliveryId: id, accepted, deadLettered: dead_lettered, warnings } = receipt;
      reply
        .code(202)
        .header("content-type", "application/json; charset=utf-8")
        .send(JSON.stringify({ id, accepted, dead_lettered, warnings }));
    }
  },
};

/** `POST|PUT /v1/in/{integration}[/{token}]`. */
export function webhookRoutes(app: FastifyInstance, receiver: Receiver): void {
  const integration = (request: FastifyRequest): string => (request.params as { integration: string }).integration;
  const urls = ["/v1/in/:integration", "/v1/in/:integration/:token"];
  const routes = urls.flatMap((url) => (["POST", "PUT"] as const).map((method) => ({ method, url, integration })));
  inboundRoutes(app, receiver, nativeAnswers, routes);
}
