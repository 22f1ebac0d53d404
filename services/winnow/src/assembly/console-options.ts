import type { ConsoleOptions, HealthCheck, Verdict } from "@winnow/console";
import type { Config } from "@winnow/platform";
import type { DeadLetterRow } from "@winnow/ports";
import { type BodyReader, mapBody, type Receiver, receiverLimits, resend } from "@winnow/receiver";
import { parseRules } from "@winnow/rules";
import type { PartitionHealth } from "@winnow/runtime";
import { sources } from "@winnow/sources";
import type { Pipeline } from "../pipeline.ts";
import { integrationsOf, tenant } from "./integrations.ts";
import { randomIds, sha256 } from "./platform-parts.ts";
import { problemItem } from "./reload.ts";
import { receiverLimitsOf, type Shared } from "./stage-options.ts";

/** What the HTTP API needs of this process. */
export function consoleOptionsOf(
  inForce: { readonly config: Config },
  parts: Shared & { readonly pipeline: Pipeline; readonly version: string; reload(): Promise<Verdict> },
): ConsoleOptions {
  const { log, windows, store, clock, logger, metrics, rules, feed, pipeline, version } = parts;
  const { receiver } = pipeline;
  const reader = (): BodyReader => receiver ?? bodyReader(inForce.config, parts);
  return {
    log,
    windows,
    store,
    clock,
    ids: randomIds,
    hash: sha256,
    rules,
    metrics,
    logger,
    version,
    tenant,
    onRecorded: (listener) => feed.onRecorded(listener),
    health: async () => healthOf(parts),
    reload: async () => parts.reload(),
    checkRules: (text) => judge(text, inForce.config),
    readRaw: async (integration, body, contentType) => mapBody(reader(), { integration, body, contentType }),
    hasIntegration: (name) => reader().integration(name) !== undefined,
    retryDeadLetter: receiver === null ? null : async (row) => sendAgain(receiver, row),
  };
}

async function sendAgain(receiver: Receiver, row: DeadLetterRow) {
  return resend(receiver, {
    integration: row.integration,
    body: Buffer.from(row.raw_base64, "base64"),
    contentType: row.content_type,
  });
}

/** Reads bodies as a receiver would, on a node that takes none: no secret is needed for that. */
function bodyReader(config: Config, { clock, logger }: Pick<Shared, "clock" | "logger">): BodyReader {
  const byName = new Map(integrationsOf(config, "").map((one) => [one.name, { ...one, locks: [] }]));
  const limits = { ...receiverLimits, ...receiverLimitsOf(config) };
  return { integration: (name) => byName.get(name), limits, clock, logger };
}

type HealthParts = Shared & { readonly pipeline: Pipeline };

function judge(text: string, config: Config): Verdict {
  const parsed = parseRules(text, "rules.yaml", {
    sourceTypes: sources.map((source) => source.type),
    integrations: config.integrations.map(({ name }) => name),
    destinations: config.destinations.map(({ name }) => name),
  });
  return parsed.ok
    ? { ok: true, warnings: parsed.warnings.map(problemItem) }
    : { ok: false, errors: parsed.errors.map(problemItem) };
}

async function healthOf(parts: HealthParts): Promise<HealthCheck[]> {
  const { pipeline, store, windows, cluster } = parts;
  const { receiver, correlator, router } = pipeline;
  const running = [...(correlator?.health() ?? []), ...(router?.health() ?? [])];
  const stuck = running.filter(({ alarm }) => alarm !== null);
  const own = [...receiverHealth(receiver), ...spoolHealth(parts)];
  // A receiver takes alerts whether the others' servers answer or not: that is what its own disk is for.
  if (cluster !== null && correlator === null && router === null) return own;
  return [
    ...own,
    ...logHealth(cluster),
    await probe("window store", async () => windows.metas("A")),
    await probe("incident store", async () => store.storeNow()),
    {
      name: "stages",
      ok: stuck.length === 0,
      detail: stuck.length === 0 ? "every partition runs" : stuck.map(alarmText).join("; "),
      codes: [...new Set(stuck.flatMap(({ alarm }) => alarm?.code ?? []))],
    },
  ];
}

function alarmText({ stage, partition, alarm }: PartitionHealth): string {
  const place = partition === null ? `the group of stage ${stage}` : `${stage}/${partition}`;
  return `${place}: ${alarm?.code ?? ""}: ${alarm?.message ?? ""}`;
}

async function probe(name: string, ask: () => Promise<unknown>): Promise<HealthCheck> {
  try {
    await ask();
    return { name, ok: true, detail: "answers" };
  } catch (error) {
    return { name, ok: false, detail: error instanceof Error ? error.message : "does not answer" };
  }
}

function receiverHealth(receiver: Receiver | null): HealthCheck[] {
  if (receiver === null) return [];
  const ok = receiver.ready();
  return [{ name: "receiver", ok, detail: ok ? "taking alerts" : "not taking alerts" }];
}

function spoolHealth({ spool, cluster }: Pick<Shared, "spool" | "cluster">): HealthCheck[] {
  if (spool === null) return [];
  const { writable, reason } = spool.health();
  const name = cluster === null ? "log" : "spool";
  return [{ name, ok: writable, detail: writable ? "writable" : (reason ?? "not writable") }];
}

function logHealth(cluster: Shared["cluster"]): HealthCheck[] {
  if (cluster === null) return [];
  const ok = cluster.logHealth().reachable;
  return [{ name: "log", ok, detail: ok ? "answers" : "does not answer" }];
}
