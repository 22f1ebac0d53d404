import {
  Accounting,
  Alert,
  DeadLetter,
  Delivery,
  Explanation,
  Incident,
  MappingWarning,
  Member,
  TimelineRow,
} from "@winnow/contracts";
import { type TSchema, Type } from "typebox";

interface Operation {
  readonly method: "get" | "post" | "put" | "delete";
  readonly path: string;
  readonly summary: string;
  /** Schema name of the 200 answer; `[]` behind it: a page of them. */
  readonly answers?: string;
  readonly query?: readonly string[];
  readonly open?: boolean;
  /** Answers 202 with what became of the delivery, and takes the integration's own credentials. */
  readonly accepted?: boolean;
}

/** The answer to a delivery. */
const Receipt = Type.Object({
  id: Type.String(),
  accepted: Type.Integer(),
  dead_lettered: Type.Integer(),
  warnings: Type.Array(MappingWarning),
});

const schemas = {
  Receipt,
  Incident,
  Member,
  TimelineRow,
  Explanation,
  Alert,
  Delivery,
  DeadLetter,
  Accounting,
} as const;

const page = ["limit", "cursor"] as const;

const inbound = "Take a delivery of this integration's tool";

const operations: readonly Operation[] = [
  { method: "post", path: "/v1/in/{integration}", summary: inbound, query: ["token"], accepted: true },
  { method: "put", path: "/v1/in/{integration}", summary: inbound, query: ["token"], accepted: true },
  { method: "post", path: "/v1/in/{integration}/{token}", summary: inbound, accepted: true },
  { method: "put", path: "/v1/in/{integration}/{token}", summary: inbound, accepted: true },
  {
    method: "get",
    path: "/v1/incidents",
    summary: "Incidents, newest first",
    answers: "Incident[]",
    query: ["state", "priority", "q", ...page],
  },
  { method: "get", path: "/v1/incidents/{id}", summary: "One incident", answers: "Incident" },
  { method: "get", path: "/v1/incidents/{id}/members", summary: "Its member alerts", answers: "Member[]", query: page },
  { method: "get", path: "/v1/incidents/{id}/timeline", summary: "Its story", answers: "TimelineRow[]", query: page },
  {
    method: "get",
    path: "/v1/incidents/{id}/explanation",
    summary: "Its story with the rules that did not match",
    answers: "Explanation[]",
    query: page,
  },
  { method: "post", path: "/v1/incidents/{id}/ack", summary: "Acknowledge", answers: "Incident" },
  { method: "post", path: "/v1/incidents/{id}/resolve", summary: "Resolve", answers: "Incident" },
  { method: "post", path: "/v1/incidents/{id}/note", summary: "Write a note", answers: "Incident" },
  {
    method: "get",
    path: "/v1/alerts",
    summary: "Alerts",
    answers: "Alert[]",
    query: ["status", "severity", "integration", ...page],
  },
  { method: "get", path: "/v1/alerts/{fingerprint}", summary: "One alert", answers: "Alert" },
  {
    method: "get",
    path: "/v1/deliveries",
    summary: "Deliveries",
    answers: "Delivery[]",
    query: ["state", "destination", ...page],
  },
  {
    method: "get",
    path: "/v1/dead-letters",
    summary: "Dead letters",
    answers: "DeadLetter[]",
    query: ["state", ...page],
  },
  { method: "get", path: "/v1/dead-letters/{id}", summary: "One dead letter", answers: "DeadLetter" },
  {
    method: "post",
    path: "/v1/dead-letters/{id}/retry",
    summary: "Send it through its integration again",
    answers: "DeadLetter",
  },
  { method: "post", path: "/v1/dead-letters/{id}/discard", summary: "Discard it", answers: "DeadLetter" },
  {
    method: "post",
    path: "/v1/explain",
    summary: "What the rules make of an alert",
    answers: "Explanation",
    query: ["integration"],
  },
  { method: "post", path: "/v1/rules/check", summary: "Judge a text of rules" },
  { method: "get", path: "/v1/accounting", summary: "What became of every accepted event", answers: "Accounting" },
  { method: "get", path: "/v1/events", summary: "Incident changes as server-sent events" },
  { method: "get", path: "/v1/tokens", summary: "API tokens" },
  { method: "post", path: "/v1/tokens", summary: "Make an API token" },
  { method: "delete", path: "/v1/tokens/{id}", summary: "Revoke an API token" },
  { method: "post", path: "/-/reload", summary: "Read the configuration again" },
  { method: "get", path: "/healthz", summary: "The process lives", open: true },
  { method: "get", path: "/readyz", summary: "It is ready for work", open: true },
  { method: "get", path: "/metrics", summary: "Metrics in Prometheus' text format", open: true },
];

function contentOf(answers: string | undefined): Record<string, unknown> {
  if (answers === undefined) return {};
  const name = answers.replace("[]", "");
  const one = { $ref: `#/components/schemas/${name}` };
  const schema = answers.endsWith("[]")
    ? {
        type: "object",
        required: ["items", "next_cursor"],
        properties: { items: { type: "array", items: one }, next_cursor: { type: ["string", "null"] } },
      }
    : one;
  return { content: { "application/json": { schema } } };
}

function operationOf(operation: Operation): Record<string, unknown> {
  const inPath = [...operation.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "");
  const parameter = (place: "path" | "query") => (name: string) => ({
    name,
    in: place,
    required: place === "path",
    schema: { type: "string" },
  });
  return {
    summary: operation.summary,
    parameters: [...inPath.map(parameter("path")), ...(operation.query ?? []).map(parameter("query"))],
    responses: {
      ...(operation.accepted === true
        ? { "202": { description: "Durable", ...contentOf("Receipt") } }
        : { "200": { description: "Done", ...contentOf(operation.answers) } }),
      default: {
        description: "An RFC 9457 problem",
        content: { "application/problem+json": { schema: { type: "object" } } },
      },
    },
    ...(operation.open === true ? { security: [] } : {}),
  };
}

/** The API's OpenAPI 3.1 description, from the same schemas that the answers are typed by. */
export function openApi(version: string): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const operation of operations)
    paths[operation.path] = { ...paths[operation.path], [operation.method]: operationOf(operation) };
  return {
    openapi: "3.1.0",
    info: { title: "Winnow", version, license: { name: "Apache-2.0", identifier: "Apache-2.0" } },
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: { bearer: { type: "http", scheme: "bearer" } },
      schemas: schemas satisfies Record<string, TSchema>,
    },
  };
}
