import t from "tap";
import { Metrics } from "../src/metrics.ts";
import { type MetricName, metricDefinitions } from "../src/metrics-names.ts";

/** The names that docs and dashboards rely on. */
const promised = [
  "winnow_events_received_total",
  "winnow_events_accepted_total",
  "winnow_events_rejected_total",
  "winnow_events_settled_total",
  "winnow_events_in_flight",
  "winnow_ack_seconds",
  "winnow_post_to_ticket_seconds",
  "winnow_deliveries",
  "winnow_incidents",
  "winnow_log_lag_records",
  "winnow_config_last_reload_successful",
] satisfies MetricName[];

await t.test("every promised metric exists under its name", async (t) => {
  const text = await new Metrics().render();
  for (const name of promised) t.match(text, `# TYPE ${name} ${metricDefinitions[name].kind}\n`);
});

await t.test("counters, gauges and histograms show what was put in", async (t) => {
  const metrics = new Metrics();
  metrics.allow("integration", ["prom"]);
  metrics.add("winnow_events_accepted_total", { integration: "prom" }, 50);
  metrics.add("winnow_events_accepted_total", { integration: "prom" });
  metrics.set("winnow_incidents", { state: "new", priority: "P1" }, 3);
  metrics.observe("winnow_ack_seconds", 0.004);
  const text = await metrics.render();
  t.match(text, 'winnow_events_accepted_total{integration="prom"} 51');
  t.match(text, 'winnow_incidents{state="new",priority="P1"} 3');
  t.match(text, 'winnow_ack_seconds_bucket{le="0.005"} 1');
  t.match(text, 'winnow_ack_seconds_bucket{le="0.0025"} 0');
});

await t.test("a value outside its closed set counts as other: no sender can make series", async (t) => {
  const metrics = new Metrics();
  metrics.allow("integration", ["prom"]);
  for (let n = 0; n < 1_000; n += 1) {
    metrics.add("winnow_events_rejected_total", { integration: `i${n}`, reason: `r${n}` });
  }
  const series = (await metrics.render())
    .split("\n")
    .filter((line) => line.startsWith("winnow_events_rejected_total{"));
  t.same(series, ['winnow_events_rejected_total{integration="other",reason="other"} 1000']);
});

await t.test("a configured label takes 500 values, no more", async (t) => {
  const metrics = new Metrics();
  const names = Array.from({ length: 501 }, (_, n) => `i${n}`);
  metrics.allow("integration", names);
  for (const integration of names) metrics.add("winnow_events_received_total", { integration });
  const text = await metrics.render();
  t.match(text, 'winnow_events_received_total{integration="i499"} 1');
  t.match(text, 'winnow_events_received_total{integration="other"} 1');
});

await t.test("totals kept in the store are shown as they are, at each scrape", async (t) => {
  const metrics = new Metrics();
  let opened = 7;
  metrics.onScrape(async () => {
    metrics.clear("winnow_deliveries");
    metrics.mirror("winnow_events_settled_total", { outcome: "opened" }, opened);
  });
  t.match(await metrics.render(), 'winnow_events_settled_total{outcome="opened"} 7');
  opened = 9;
  t.match(await metrics.render(), 'winnow_events_settled_total{outcome="opened"} 9');
});

await t.test("two registries do not share anything", async (t) => {
  const one = new Metrics();
  const two = new Metrics({ runtime: true });
  one.set("winnow_events_in_flight", {}, 5);
  t.match(await two.render(), /winnow_events_in_flight 0/);
  t.match(await two.render(), /process_cpu_seconds_total/);
  t.match(two.contentType, /text\/plain/);
});
