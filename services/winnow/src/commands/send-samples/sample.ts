/** What a sample alert is about, whatever tool it is dressed as. */
export interface SampleInput {
  /** Epoch ms: when it began. */
  readonly startedMs: number;
  /** Epoch ms: the present. */
  readonly nowMs: number;
  /** The end of it instead of its beginning. */
  readonly resolve: boolean;
  readonly service: string;
  readonly host: string;
  readonly environment: string;
  /** Our scale; each tool says it in its own words. */
  readonly severity: SampleSeverity;
  readonly title: string;
  readonly text: string;
  /** Further labels, in whatever way the tool has them. */
  readonly labels: Readonly<Record<string, string>>;
}

export const sampleSeverities = ["critical", "error", "warning", "info"] as const;
export type SampleSeverity = (typeof sampleSeverities)[number];

/** A request as the tool makes it. */
export interface SampleRequest {
  readonly contentType: string;
  readonly body: string;
}

/** How one tool tells Winnow of alerts. */
export interface SampleTool {
  readonly name: string;
  /** In a few words, for the list of tools. */
  readonly title: string;
  /** The kind of integration that reads it. */
  readonly source: string;
  /** Path below Winnow's URL for an integration's name, percent-encoded. */
  readonly path: (integration: string) => string;
  /** Alerts that one request carries at most. */
  readonly perRequest: number;
  /** One request with all these alerts. */
  readonly request: (alerts: readonly SampleInput[]) => SampleRequest;
}

/** Where webhooks go. */
export function inbound(integration: string): string {
  return `v1/in/${integration}`;
}

export function json(value: unknown): SampleRequest {
  return { contentType: "application/json", body: JSON.stringify(value) };
}

/** The one alert of a tool that sends each by itself. */
export function only(alerts: readonly SampleInput[]): SampleInput {
  const [alert] = alerts;
  if (alert === undefined) throw new Error("assertion failed: a request carries an alert");
  return alert;
}

/** Epoch seconds as text. */
export function seconds(ms: number): string {
  return String(Math.floor(ms / 1000));
}
