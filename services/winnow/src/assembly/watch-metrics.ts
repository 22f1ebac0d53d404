import { readAccounting } from "@winnow/console";
import { outcomes } from "@winnow/contracts";
import { boundsOf } from "@winnow/runtime";
import type { Shared } from "./stage-options.ts";

const topicOf = { A: "alerts", B: "transitions", C: "incident-events" } as const;

/** Metrics that are read from the stores at each scrape, so that they are true across restarts. */
export function watchMetrics(parts: Shared & { readonly destinations: () => readonly string[] }): void {
  const { metrics, log, windows, store } = parts;
  metrics.allow("destination", parts.destinations());
  metrics.allow(
    "partition",
    Array.from({ length: log.partitions }, (_, partition) => String(partition)),
  );
  metrics.allow("limit", ["open_alerts"]);
  metrics.set("winnow_config_last_reload_successful", {}, 1);
  const { cluster } = parts;
  if (cluster !== null) {
    metrics.onScrape(() => {
      const { reachable, late, lost, write_failures } = cluster.logHealth();
      metrics.set("winnow_kafka_reachable", {}, reachable ? 1 : 0);
      metrics.mirror("winnow_kafka_late_requests_total", {}, late);
      metrics.mirror("winnow_kafka_lost_connections_total", {}, lost);
      metrics.mirror("winnow_kafka_write_failures_total", {}, write_failures);
    });
  }
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
    // Those that are no longer configured have names too, as long as deliveries of theirs are kept.
    metrics.allow("destination", [...parts.destinations(), ...counts.deliveries.map(({ destination }) => destination)]);
    for (const { destination, state, n } of counts.deliveries)
      metrics.set("winnow_deliveries", { destination, state }, n);
  });
  metrics.onScrape(async () => {
    const committed = { A: await windows.metas("A"), B: await windows.metas("B"), C: await store.recordMetas() };
    for (const stage of ["A", "B", "C"] as const)
      for (const { partition, meta } of committed[stage]) {
        const bounds = await boundsOf(log, topicOf[stage], partition);
        const lag = Math.max(0, bounds.end_offset - (meta?.position ?? bounds.start_offset));
        metrics.set("winnow_log_lag_records", { stage, partition: String(partition) }, lag);
      }
  });
}
