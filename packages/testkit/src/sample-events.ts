import type { AlertDraft, AlertEvent } from "@winnow/contracts";
import { finishEvent } from "@winnow/core";
import { testHash } from "./pure-engine.ts";

export interface SampleEvent extends Partial<AlertDraft> {
  /** Makes the identity together with `host`. */
  readonly name?: string;
  readonly at?: number;
  readonly scope?: string;
  readonly integration?: string;
}

/** A finished event with sensible values where the test does not care. `at` is receipt time, epoch ms. */
export function sampleEvent(given: SampleEvent = {}): AlertEvent {
  const { name = "HighErrors", at = 1_000, scope = "default", integration = "prom", ...draft } = given;
  const host = draft.host ?? "h1";
  const action = draft.action ?? "fire";
  const complete: AlertDraft = {
    kind: "alert",
    action,
    status: action === "resolve" ? "resolved" : "firing",
    severity: "critical",
    title: name,
    identity: [
      { k: "name", v: name },
      { k: "host", v: host },
    ],
    dedup_key: `${name}/${host}`,
    service: "checkout",
    host,
    labels: { name: [name] },
    annotations: {},
    links: [],
    time_quality: "received",
    ...draft,
  };
  return finishEvent(complete, {
    tenant: "default",
    scope,
    source: "alertmanager",
    integration,
    parserVersion: 1,
    receivedMs: at,
    deliveryId: `d${at}`,
    itemIndex: 0,
    hash: testHash,
  }).event;
}
