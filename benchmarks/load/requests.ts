/** What is sent: Alertmanager API v2 bodies, the same bytes to every target. */
export interface LoadShape {
  /** Alerts in one POST. */
  readonly batch: number;
  /** Distinct alerts, sent round and round. */
  readonly keys: number;
  /** Distinct values of the label that alerts are grouped by. */
  readonly groups: number;
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

const startsAt = "2026-01-01T00:00:00.000Z";
/** Firing until far in the future, so that no target ever times one out. */
const endsAt = "2036-01-01T00:00:00.000Z";

/** One alert of about 700 bytes, as a rule with annotations makes them. */
function alertText(key: number, groups: number): string {
  const host = `host-${key}.example.net`;
  return JSON.stringify({
    labels: {
      alertname: `HighErrorRate${key % 50}`,
      instance: `${host}:9100`,
      job: "node",
      service: `service-${key % groups}`,
      cluster: "eu-1",
      team: "platform",
      severity: key % 3 === 0 ? "critical" : "warning",
    },
    annotations: {
      summary: `Error rate is high on ${host}`,
      description: `More than five percent of the requests that ${host} has served during the last five minutes ended in an error. Look at the dashboard and at the newest deployment first.`,
      runbook_url: "https://runbooks.example.net/high-error-rate",
    },
    startsAt,
    endsAt,
    generatorURL: "https://prometheus.example.net/graph?g0.expr=rate%28errors%5B5m%5D%29&g0.tab=1",
  });
}

/** Whole HTTP/1.1 requests, ready to be written to a socket, one round over all keys. */
export function requestBytes(shape: LoadShape, endpoint: Endpoint): Buffer[] {
  const headers = Object.entries(endpoint.headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const requests: Buffer[] = [];
  for (let key = 0; key < shape.keys; key += shape.batch) {
    const alerts = Array.from({ length: shape.batch }, (_, at) => alertText((key + at) % shape.keys, shape.groups));
    const body = `[${alerts.join(",")}]`;
    const head = `POST ${endpoint.path} HTTP/1.1\r\nhost: ${endpoint.host}\r\ncontent-type: application/json\r\n${headers.join("")}content-length: ${Buffer.byteLength(body)}\r\n\r\n`;
    requests.push(Buffer.from(head + body));
  }
  return requests;
}
