import { readAccounting } from "@winnow/console";
import { outcomes } from "@winnow/contracts";
import type { Pipeline } from "../pipeline.ts";
import type { Shared } from "./stage-options.ts";

const topicOf = { A: "alerts", B: "transitions", C: "incident-events" } as const;

/** Metrics that are read from the stores at each scrape, so that they are true across restarts. */
export function watchMetrics(
  parts: Shared & { readonly pipeline: Pipeline; readonly destinations: readonly string[] },
): void {
  const { metrics, log, windows, store, pipeline } = parts;
  metrics.allow("destination", parts.destinations);
  metrics.allow(
    "partition",
    Array.from({ length: log.partitions }, (_, partition) => String(partition)),
  );
  metrics.allow("limit", ["open_alerts"]);
  metrics.set("winnow_config_last_reload_successful", {}, 1);
  metrics.onScrape(async () => {
    const accounting = await readAccounting(log, windows);
    for (const outcome of outcomes)
      metrics.mirror("winnow_events_settled_total", { outcome }, accounting.outcomes[outcome]);
    metrics.set("winnow_events_in_flight", {}, accounting.in_flight);
  });
  metrics.onScrape(async () => {
    const counts = await store.counts();
    metrics.clear("winnow_incidents");
    for (const { state, priority, n } of counts.incidents) metrics.set("winnow_incidents", { state, priority }, n);
    metrics.clear("winnow_deliveries");
    for (const { destination, state, n } of counts.deliveries)
      metrics.set("winnow_deliveries", { destination, state }, n);
  });
  metrics.onScrape(async () => {
    for (const { stage, partition, position } of [...pipeline.correlator.health(), ...pipeline.router.health()]) {
      const status = await log.status(topicOf[stage], partition);
      const lag = Math.max(0, status.end_offset - position);
      metrics.set("winnow_log_lag_records", { stage, partition: String(partition) }, lag);
    }
  });
}
