import type { ConsoleOptions, HealthCheck, Verdict } from "@winnow/console";
import type { Config } from "@winnow/platform";
import { mapBody, resend } from "@winnow/receiver";
import { parseRules } from "@winnow/rules";
import { sources } from "@winnow/sources";
import type { Pipeline } from "../pipeline.ts";
import { tenant } from "./integrations.ts";
import { randomIds, sha256 } from "./platform-parts.ts";
import { problemItem } from "./reload.ts";
import type { Shared } from "./stage-options.ts";

/** What the HTTP API needs of this process. */
export function consoleOptionsOf(
  config: Config,
  parts: Shared & { readonly pipeline: Pipeline; readonly version: string; reload(): Promise<Verdict> },
): ConsoleOptions {
  const { log, windows, store, clock, logger, metrics, rules, feed, pipeline, version } = parts;
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
    checkRules: (text) => judge(text, config),
    readRaw: async (integration, body, contentType) => mapBody(pipeline.receiver, { integration, body, contentType }),
    hasIntegration: (name) => pipeline.receiver.hasIntegration(name),
    retryDeadLetter: async (row) =>
      resend(pipeline.receiver, {
        integration: row.integration,
        body: Buffer.from(row.raw_base64, "base64"),
        contentType: row.content_type,
      }),
  };
}

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

async function healthOf(parts: Shared & { readonly pipeline: Pipeline }): Promise<HealthCheck[]> {
  const { log, pipeline, store, windows } = parts;
  const disk = log.health();
  const stuck = [...pipeline.correlator.health(), ...pipeline.router.health()].filter(({ alarm }) => alarm !== null);
  return [
    {
      name: "receiver",
      ok: pipeline.receiver.ready(),
      detail: pipeline.receiver.ready() ? "taking alerts" : "not taking alerts",
    },
    { name: "log", ok: disk.writable, detail: disk.writable ? "writable" : (disk.reason ?? "not writable") },
    await probe("window store", async () => windows.metas("A")),
    await probe("incident store", async () => store.storeNow()),
    {
      name: "stages",
      ok: stuck.length === 0,
      detail:
        stuck.length === 0
          ? "every partition runs"
          : stuck.map(({ stage, partition, alarm }) => `${stage}/${partition}: ${alarm?.code ?? ""}`).join(", "),
    },
  ];
}

async function probe(name: string, ask: () => Promise<unknown>): Promise<HealthCheck> {
  try {
    await ask();
    return { name, ok: true, detail: "answers" };
  } catch (error) {
    return { name, ok: false, detail: error instanceof Error ? error.message : "does not answer" };
  }
}
