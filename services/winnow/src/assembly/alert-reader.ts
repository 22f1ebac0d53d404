import { Alerts, type StoredAlert } from "@winnow/console";
import type { Logger, Metrics } from "@winnow/platform";
import type { DeliveryRow, IncidentReader, WindowStore } from "@winnow/ports";
import type { AlertGroupView, AlertReader, AlertView } from "@winnow/receiver";
import { tenant } from "./integrations.ts";

export interface AlertReaderParts {
  readonly windows: WindowStore;
  readonly store: IncidentReader;
  readonly partitions: number;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Names of the configured destinations. */
  readonly destinations: () => readonly string[];
}

/** Open alerts of one integration in one answer: this API has no pages. */
const openAlertsMax = 20_000;
/** Incidents asked for in one query. */
const incidentStep = 500;
/** The receiver of a group whose incident goes nowhere (yet). */
const noReceiver = "none";

/** Open alerts and incidents in Alertmanager's terms: an incident is a group, a destination is a receiver. */
export function alertReader(parts: AlertReaderParts): AlertReader {
  const { store, metrics, logger } = parts;
  const alerts = new Alerts({ ...parts, tenant });
  const open = async (integration: string): Promise<readonly StoredAlert[]> => {
    const found = await alerts.stored({ statuses: ["firing"], integrations: [integration] }, openAlertsMax);
    if (found.more) {
      metrics.add("winnow_limit_hits_total", { limit: "open_alerts" });
      logger.warn("more alerts are open than Alertmanager's API shows", { integration, shown: openAlertsMax });
    }
    return found.alerts;
  };
  const receiversOf = async (ids: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> => {
    const rows: DeliveryRow[] = [];
    for (let from = 0; from < ids.length; from += incidentStep)
      rows.push(...(await store.deliveriesOf(ids.slice(from, from + incidentStep))));
    const byIncident = Map.groupBy(rows, (row) => row.incident_id);
    return new Map(
      [...byIncident].map(([id, deliveries]) => [id, [...new Set(deliveries.map(({ destination }) => destination))]]),
    );
  };
  return {
    receivers: async () => parts.destinations(),
    openAlerts: async (integration) => {
      const found = await open(integration);
      const receivers = await receiversOf(incidentIds(found));
      return found.map((alert) => viewOf(alert, receivers));
    },
    groups: async (integration) => {
      const found = await open(integration);
      const receivers = await receiversOf(incidentIds(found));
      const byIncident = Map.groupBy(found, ({ incidentId }) => incidentId);
      const groups: AlertGroupView[] = [];
      for (const [id, members] of byIncident) {
        const row = id === null ? null : await store.incident(id);
        if (row === null) continue;
        const labels = Object.fromEntries(row.snapshot.group_key.map(({ k, v }) => [k, v]));
        const views = members.map((alert) => viewOf(alert, receivers));
        for (const receiver of receivers.get(row.snapshot.incident_id) ?? [noReceiver])
          groups.push({ labels, receiver, alerts: views });
      }
      return groups;
    },
  };
}

function incidentIds(alerts: readonly StoredAlert[]): string[] {
  return [...new Set(alerts.flatMap(({ incidentId }) => (incidentId === null ? [] : [incidentId])))];
}

function viewOf(
  { state, detail, incidentId }: StoredAlert,
  receivers: ReadonlyMap<string, readonly string[]>,
): AlertView {
  const { labels, annotations, links } = detail.facts;
  return {
    labels: Object.fromEntries(Object.entries(labels).map(([name, values]) => [name, values[0] ?? ""])),
    annotations,
    starts_ms: state.episode.started_ms,
    ends_ms: state.expires,
    updated_ms: state.last,
    generator_url: links.find(({ rel }) => rel === "graph")?.href ?? null,
    receivers: incidentId === null ? [] : (receivers.get(incidentId) ?? []),
    // Silences and inhibition are not decided yet: nothing is suppressed.
    silenced_by: [],
    inhibited_by: [],
    unprocessed: incidentId === null,
  };
}
