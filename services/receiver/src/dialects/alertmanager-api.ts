import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type InboundAnswers, inboundRoutes, presentedBy } from "../inbound.ts";
import type { Receipt, Receiver, Refusal } from "../receiver.ts";
import { showBuildInfo, showStatus } from "./alertmanager-status.ts";
import {
  type AlertFilter,
  type AlertReader,
  parseFilter,
  type Query,
  showAlerts,
  showGroups,
} from "./alertmanager-views.ts";

export interface AlertmanagerApiOptions {
  readonly receiver: Receiver;
  readonly reader: AlertReader;
  /** Version of Winnow. */
  readonly version: string;
  /** One integration at the root, on a listener of its own; absent: all of them below `/compat/alertmanager/{name}`. */
  readonly integration?: string;
}

/** Source type of the integrations that can be spoken to in this dialect. */
const sourceType = "alertmanager";

/**
 * Alertmanager's API v2 for Prometheus, vmalert, Grafana's rulers, amtool, karma and Grafana's data source, in
 * Alertmanager's own words: empty 200, errors as bare JSON strings (prometheus/alertmanager, api/v2/openapi.yaml).
 */
export function alertmanagerApi(app: FastifyInstance, options: AlertmanagerApiOptions): void {
  const prefix = options.integration === undefined ? "/compat/alertmanager/:integration" : "";
  const integration = (request: FastifyRequest): string =>
    options.integration ?? (request.params as { integration: string }).integration;
  const url = `${prefix}/api/v2/alerts`;
  inboundRoutes(app, options.receiver, answers, [{ method: "POST", url, integration, sourceType }]);
  app.register((scope, _options, done) => {
    scope.addHook("onRequest", (_request, reply, next) => {
      reply.header("cache-control", "no-store");
      next();
    });
    scope.setErrorHandler((_error, _request, reply) => {
      unavailable(reply);
    });
    probeRoutes(scope, prefix, options, integration);
    readRoutes(scope, `${prefix}/api/v2`, options, integration);
    silenceRoutes(scope, `${prefix}/api/v2`, options, integration);
    done();
  });
}

type NameOf = (request: FastifyRequest) => string;

function text(reply: FastifyReply, status: number, message: string): FastifyReply {
  return reply.code(status).header("content-type", "application/json").send(JSON.stringify(message));
}

function json(reply: FastifyReply, value: unknown): FastifyReply {
  return reply.header("content-type", "application/json").send(JSON.stringify(value));
}

function unavailable(reply: FastifyReply, retryAfterS = 5): FastifyReply {
  reply.header("retry-after", String(retryAfterS));
  return text(reply, 503, "not stored: send it again");
}

const answers: InboundAnswers = { refused, received };

function refused(reply: FastifyReply, refusal: Refusal): void {
  if (refusal === "queue_full") unavailable(reply);
  else if (refusal === "unauthorized") {
    reply.header("www-authenticate", 'Basic realm="winnow"');
    text(reply, 401, "the token is missing or wrong");
  } else text(reply, 404, "there is no such integration, or it is not of type alertmanager");
}

/** Valid alerts are stored even where others are not; then the answer is 400 with what was wrong, as Alertmanager does. */
function received(reply: FastifyReply, receipt: Receipt): void {
  reply.header("cache-control", "no-store");
  if (receipt.kind === "unavailable") unavailable(reply, receipt.retryAfterS);
  else if (receipt.kind === "too_large") text(reply, 413, "the body is too large");
  else {
    // An empty list is no fault here.
    const faults = receipt.rejections.filter(({ code }) => code !== "no_alerts");
    if (faults.length === 0) reply.code(200).send("");
    else text(reply, 400, faultsText(faults));
  }
}

const faultsMax = 20;

function faultsText(faults: readonly { readonly path: string; readonly message: string }[]): string {
  const told = faults.slice(0, faultsMax).map(({ path, message }) => (path === "" ? message : `${path}: ${message}`));
  if (faults.length > faultsMax) told.push(`and ${faults.length - faultsMax} more`);
  return told.join("; ");
}

/** Probes need no token: they say nothing that a port scan does not. */
function probeRoutes(scope: FastifyInstance, prefix: string, { receiver }: AlertmanagerApiOptions, name: NameOf): void {
  scope.get(`${prefix}/-/healthy`, (request, reply) =>
    receiver.hasIntegration(name(request)) ? reply.send("OK") : text(reply, 404, "there is no such integration"),
  );
  scope.get(`${prefix}/-/ready`, (request, reply) => {
    if (!receiver.hasIntegration(name(request))) return text(reply, 404, "there is no such integration");
    return receiver.ready() ? reply.send("OK") : text(reply, 503, "not ready");
  });
}

function readRoutes(scope: FastifyInstance, base: string, options: AlertmanagerApiOptions, name: NameOf): void {
  const { receiver, reader, version } = options;
  const startedMs = receiver.clock.now();
  const guarded = guard(receiver, name);
  const filtered = (request: FastifyRequest, reply: FastifyReply, show: (filter: AlertFilter) => Promise<unknown>) => {
    const parsed = parseFilter(request.query as Query);
    return parsed.ok ? show(parsed.filter).then((value) => json(reply, value)) : text(reply, 400, parsed.message);
  };
  scope.get(`${base}/alerts`, { onRequest: guarded }, (request, reply) =>
    filtered(request, reply, async (filter) =>
      showAlerts(await reader.openAlerts(name(request)), filter, receiver.clock.now()),
    ),
  );
  scope.get(`${base}/alerts/groups`, { onRequest: guarded }, (request, reply) =>
    filtered(request, reply, async (filter) =>
      showGroups(await reader.groups(name(request)), filter, receiver.clock.now()),
    ),
  );
  scope.get(`${base}/receivers`, { onRequest: guarded }, async (_request, reply) =>
    json(
      reply,
      (await reader.receivers()).map((receiverName) => ({ name: receiverName })),
    ),
  );
  scope.get(`${base}/status`, { onRequest: guarded }, async (_request, reply) =>
    json(reply, showStatus({ version, startedMs, receivers: await reader.receivers() })),
  );
  scope.get(`${base.replace(/\/api\/v2$/, "")}/metrics`, { onRequest: guarded }, (_request, reply) =>
    reply.header("content-type", "text/plain; version=0.0.4; charset=utf-8").send(showBuildInfo(version)),
  );
}

const noSilences = "Winnow takes no silences through this API: nothing was changed";

function silenceRoutes(scope: FastifyInstance, base: string, { receiver }: AlertmanagerApiOptions, name: NameOf): void {
  const guarded = guard(receiver, name);
  scope.get(`${base}/silences`, { onRequest: guarded }, (_request, reply) => json(reply, []));
  scope.get(`${base}/silence/:id`, { onRequest: guarded }, (_request, reply) => text(reply, 404, "silence not found"));
  scope.post(`${base}/silences`, { onRequest: guarded }, (_request, reply) => text(reply, 400, noSilences));
  // 500 is the one refusal of this call whose text amtool shows; nobody sends alerts this way.
  scope.delete(`${base}/silence/:id`, { onRequest: guarded }, (_request, reply) => text(reply, 500, noSilences));
}

/** The integration's own token, as for posting. */
function guard(receiver: Receiver, name: NameOf) {
  return (request: FastifyRequest, reply: FastifyReply, next: () => void): void => {
    const opened = receiver.admit(name(request), presentedBy(request), sourceType);
    if (typeof opened === "string") refused(reply, opened);
    else next();
  };
}
