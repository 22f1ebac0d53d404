import { sourceByType } from "@winnow/sources";
import { type AlertmanagerApiOptions, alertmanagerApi } from "../../src/dialects/alertmanager-api.ts";
import type { AlertGroupView, AlertReader, AlertView } from "../../src/dialects/alertmanager-views.ts";
import { integration, startWorld, type WorldOptions } from "./world.ts";

const start = Date.parse("2026-11-24T09:00:00Z");

export function view(labels: Readonly<Record<string, string>>, more: Partial<AlertView> = {}): AlertView {
  return {
    labels,
    annotations: { summary: "text" },
    starts_ms: start,
    ends_ms: null,
    updated_ms: start + 1_000,
    generator_url: null,
    receivers: ["snow"],
    silenced_by: [],
    inhibited_by: [],
    unprocessed: false,
    ...more,
  };
}

export interface DialectWorldOptions extends WorldOptions {
  readonly alerts?: readonly AlertView[];
  readonly groups?: readonly AlertGroupView[];
  readonly root?: string;
}

/** A receiver that speaks Alertmanager's API, with the alerts that its reader shows. */
export async function startDialect(options: DialectWorldOptions = {}) {
  const alertmanager = sourceByType("alertmanager");
  if (alertmanager === undefined) throw new Error("the source alertmanager is missing");
  const asked: string[] = [];
  const reader: AlertReader = {
    openAlerts: async (name) => {
      asked.push(name);
      return options.alerts ?? [];
    },
    groups: async () => options.groups ?? [],
    receivers: async () => ["snow", 'chat "ops"'],
  };
  const world = await startWorld({
    integrations: [integration("prom", alertmanager), integration("other")],
    ...options,
    routes: (app, receiver) => {
      const root: Pick<AlertmanagerApiOptions, "integration"> =
        options.root === undefined ? {} : { integration: options.root };
      alertmanagerApi(app, { receiver, reader, version: "0.1.0", ...root });
    },
  });
  return { ...world, asked };
}
