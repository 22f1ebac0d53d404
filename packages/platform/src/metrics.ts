import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { WinnowError } from "./errors.ts";
import {
  type ConfiguredLabel,
  type CounterName,
  closedLabels,
  type GaugeName,
  type HistogramName,
  histogramBuckets,
  type LabelName,
  type LabelsOf,
  type MetricName,
  metricDefinitions,
} from "./metrics-names.ts";

/** Most values of one configured label; the rest counts as `other`. */
const labelValuesMax = 500;
const other = "other";

/**
 * All metrics of one process, passed around and never global.
 * A label value outside its closed set is counted as `other`, so that nothing a sender writes can make a series.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #counters = new Map<MetricName, Counter>();
  readonly #gauges = new Map<MetricName, Gauge>();
  readonly #histograms = new Map<MetricName, Histogram>();
  readonly #allowed = new Map<LabelName, ReadonlySet<string>>();
  readonly #beforeScrape: (() => Promise<void> | void)[] = [];

  /** `runtime`: also memory, CPU, garbage collection and event-loop delay of the process. */
  constructor(options: { readonly runtime?: boolean } = {}) {
    for (const [label, values] of Object.entries(closedLabels)) {
      this.#allowed.set(label as LabelName, new Set(values));
    }
    for (const name of Object.keys(metricDefinitions) as MetricName[]) this.#define(name);
    if (options.runtime === true) collectDefaultMetrics({ register: this.#registry });
  }

  #define(name: MetricName): void {
    const { kind, help, labels } = metricDefinitions[name];
    const common = { name, help, labelNames: labels, registers: [this.#registry] };
    if (kind === "counter") this.#counters.set(name, new Counter(common));
    else if (kind === "gauge") this.#gauges.set(name, new Gauge(common));
    else {
      const buckets = [...histogramBuckets[name as HistogramName]];
      this.#histograms.set(name, new Histogram({ ...common, buckets }));
    }
  }

  /** The values that a configured label may have from now on; at most 500 of them. */
  allow(label: ConfiguredLabel, values: Iterable<string>): void {
    this.#allowed.set(label, new Set([...values].slice(0, labelValuesMax)));
  }

  add<Name extends CounterName>(name: Name, labels: LabelsOf<Name>, by = 1): void {
    this.#counters.get(name)?.inc(this.#closed(labels), by);
  }

  /** Shows a total that is kept elsewhere, such as in the store: it survives restarts there. */
  mirror<Name extends CounterName>(name: Name, labels: LabelsOf<Name>, total: number): void {
    const closed = this.#closed(labels);
    const counter = this.#counters.get(name);
    counter?.remove(closed);
    counter?.inc(closed, total);
  }

  set<Name extends GaugeName>(name: Name, labels: LabelsOf<Name>, value: number): void {
    this.#gauges.get(name)?.set(this.#closed(labels), value);
  }

  /** Forgets all series of a gauge, before they are set anew. */
  clear(name: GaugeName): void {
    this.#gauges.get(name)?.reset();
  }

  observe(name: HistogramName, seconds: number): void {
    this.#histograms.get(name)?.observe(seconds);
  }

  /**
   * Called before each scrape, to set what is read from the stores. What a WinnowError keeps from being read shows its
   * last values and is counted; any other rejection fails the scrape.
   */
  onScrape(collect: () => Promise<void> | void): void {
    this.#beforeScrape.push(collect);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The Prometheus text format. */
  async render(): Promise<string> {
    for (const collect of this.#beforeScrape) {
      try {
        await collect();
      } catch (error) {
        if (!(error instanceof WinnowError)) throw error;
        this.add("winnow_scrape_failures_total", {});
      }
    }
    return this.#registry.metrics();
  }

  #closed(labels: Readonly<Record<string, string>>): Record<string, string> {
    const closed: Record<string, string> = {};
    for (const name in labels) {
      const value = labels[name] ?? other;
      closed[name] = this.#allowed.get(name as LabelName)?.has(value) === true ? value : other;
    }
    return closed;
  }
}
