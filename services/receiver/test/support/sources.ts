import type { AlertDraft } from "@winnow/contracts";
import { authKinds, type Normalised, type RejectedItem, type Source, type SourceBody } from "@winnow/sources";

/** A draft with the fields that every alert has. */
function draftOf(name: string, more: Partial<AlertDraft> = {}): AlertDraft {
  return {
    kind: "alert",
    action: "fire",
    status: "firing",
    severity: "critical",
    title: name,
    identity: [{ k: "alertname", v: name }],
    dedup_key: name,
    labels: { alertname: [name] },
    annotations: {},
    links: [],
    time_quality: "received",
    ...more,
  };
}

/**
 * A small JSON source: `{alerts: [{name, labels}]}` or a list of such alerts. An alert without a name is rejected,
 * `{boom: true}` makes the parser throw.
 */
export const listSource: Source = {
  type: "list",
  title: "List",
  accepts: ["json"],
  auth: authKinds,
  version: 1,
  normalise: ({ body }) => {
    if (body.kind !== "json") throw new Error("assertion failed: json alone is accepted");
    return fromJson(body.value);
  },
};

function fromJson(value: unknown): Normalised {
  if (isObject(value) && value["boom"] === true) throw new TypeError("a bug in the parser");
  const list = Array.isArray(value) ? (value as unknown[]) : isObject(value) ? value["alerts"] : undefined;
  if (!Array.isArray(list)) return { drafts: [], rejected: [whole("missing_field", "alerts")], warnings: [] };
  const drafts: AlertDraft[] = [];
  const rejected: RejectedItem[] = [];
  for (const [at, item] of (list as unknown[]).entries()) {
    if (!isObject(item) || (typeof item["name"] !== "string" && typeof item["name"] !== "number")) {
      rejected.push({
        code: "missing_field",
        path: `alerts[${at}].name`,
        message: "no name",
        item: JSON.stringify(item),
      });
      continue;
    }
    drafts.push(draftOf(String(item["name"]), { labels: labelsOf(String(item["name"]), item["labels"]) }));
  }
  const deliveryId = isObject(value) && typeof value["id"] === "string" ? { deliveryId: value["id"] } : {};
  return { drafts, rejected, warnings: [], ...deliveryId };
}

function labelsOf(name: string, labels: unknown): Record<string, string[]> {
  const entries = isObject(labels)
    ? Object.entries(labels).map(([key, value]) => [key, [String(value)]] as [string, string[]])
    : [];
  return Object.fromEntries([["alertname", [name]], ...entries] as [string, string[]][]);
}

function whole(code: string, path: string): RejectedItem {
  return { code, path, message: "missing", item: null };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Keeps the bodies it was given, and makes one alert of each. */
export function recordingSource(accepts: Source["accepts"]): Source & { readonly bodies: SourceBody[] } {
  const bodies: SourceBody[] = [];
  return {
    type: "recording",
    title: "Recording",
    accepts,
    auth: authKinds,
    version: 1,
    bodies,
    normalise: ({ body }) => {
      bodies.push(body);
      return { drafts: [draftOf("seen")], rejected: [], warnings: [] };
    },
  };
}
