/** What every node reads from the store: the same everywhere, and adding it up would count it twice. */
const storedCounts = new Set(["winnow_events_settled_total"]);

/**
 * The expositions of several nodes as one. What a node counts by itself is added up; of gauges and of what comes from
 * the store the highest is taken. Samples of one series are told apart by name and labels, as they are written.
 */
export function mergeMetrics(texts: readonly string[]): string {
  const gauges = texts.flatMap((text) => [...text.matchAll(/^# TYPE (\S+) gauge$/gm)].map(([, name]) => name));
  const common = new Set([...storedCounts, ...gauges]);
  const lines = new Map<string, number | null>();
  for (const line of texts.flatMap((text) => text.split("\n"))) {
    const sample = /^([a-zA-Z_:][\w:]*(?:\{.*\})?) (\S+)$/.exec(line);
    if (sample === null) {
      lines.set(line, null);
      continue;
    }
    const [, series = "", text] = sample;
    const value = Number(text);
    const before = lines.get(series) ?? null;
    const isCommon = common.has(series.split("{")[0]);
    lines.set(series, before === null ? value : isCommon ? Math.max(before, value) : before + value);
  }
  return [...lines].map(([line, value]) => (value === null ? line : `${line} ${value}`)).join("\n");
}
