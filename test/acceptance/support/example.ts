import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { testFolder } from "@winnow/testkit/folder";
import type { Test } from "tap";
import { startInMode } from "./mode.ts";
import { type Deployment, type Fake, startFakeVendor } from "./product.ts";

/** The configuration of the outside contract, letter by letter. */
export const exampleConfiguration = `version: 1
listen: 127.0.0.1:8080
sources:
  prometheus-prod: { type: alertmanager, auth: { bearer: { env: AM_TOKEN } }, environment: prod }
rules:
  - id: per-service
    match: { source: [alertmanager, nagios], labels.team: { exists: true } }
    group_by: [service]
    on_missing: separate            # separate | skip | shared
    window: { type: until_resolved, max_age: 4h, max_alerts: 1000, reopen: 1h }
    hold: 5s                        # or by priority: { P1: 0s, default: 60s }
    resolve_delay: 0s
    incident: { title: "{{service}}: {{title}}", category: software, impact: medium, assignment_group: platform }
priority:
  matrix: { high: { high: P1, medium: P2, low: P3 }, medium: { high: P2, medium: P3, low: P4 }, low: { high: P3, medium: P4, low: P5 } }   # impact, then urgency
routes:
  - match: { priority: [P1, P2, P3, P4] }
    to: [snow]
destinations:
  snow:
    type: servicenow
    mode: live                      # dry_run is the default
    url: http://127.0.0.1:9801
    allow_networks: [127.0.0.0/8]
    auth: { basic: { username: winnow, password: { env: SNOW_PASSWORD } } }
    max_creates_per_minute: 600
retention: { log: { max_age: 7d, max_bytes: 20GiB }, incidents: { max_age: 400d } }
limits: { body_bytes: 5MiB }
`;

export const exampleEnvironment = { AM_TOKEN: "am-token-of-the-example", SNOW_PASSWORD: "snow-password" };

export interface ExampleStage {
  readonly folder: string;
  readonly product: Deployment;
  readonly snow: Fake;
  /** Sends alerts to prometheus-prod as Alertmanager's webhook does. */
  send(alerts: readonly SentAlert[]): Promise<void>;
}

export interface SentAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly status?: "firing" | "resolved";
  readonly startsAt?: string;
}

/** The example at work beside its ServiceNow. Only the fake's port differs, and what `change` makes of the text. */
export async function startExample(t: Test, change: (text: string) => string = (text) => text): Promise<ExampleStage> {
  const folder = testFolder(t);
  const snow = await startFakeVendor("servicenow", folder);
  t.teardown(() => snow.tool.stop());
  writeFileSync(join(folder, "winnow.yaml"), change(exampleConfiguration.replace("http://127.0.0.1:9801", snow.url)));
  const product = await startInMode({ folder, env: exampleEnvironment });
  t.teardown(async () => void (await product.stop()));
  const startedAt = new Date(Date.now() - 60_000).toISOString();
  return {
    folder,
    product,
    snow,
    send: async (alerts) => {
      const members = alerts.map(({ labels, status = "firing", startsAt = startedAt }) => ({
        status,
        labels,
        annotations: { summary: `${labels["alertname"]} on ${labels["instance"] ?? "nothing"}` },
        startsAt,
        endsAt: status === "resolved" ? new Date().toISOString() : "0001-01-01T00:00:00Z",
        generatorURL: "http://prometheus.example/graph",
      }));
      const { status, text } = await product.client.ask("/v1/in/prometheus-prod", {
        headers: { authorization: `Bearer ${exampleEnvironment.AM_TOKEN}` },
        body: { version: "4", status: "firing", alerts: members },
      });
      if (status !== 202) throw new Error(`the alerts were answered ${status}: ${text}`);
    },
  };
}
