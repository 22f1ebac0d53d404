import { writeFileSync } from "node:fs";

/** How long the destination waits before a negative lookup counts. The faults of the fake are over sooner. */
const killTimeMsDefault = 3_000;

/** Which rule takes an alert, and what must come of it. The first part of an app's name says it. */
export const tiers = ["gold", "silver", "bronze"] as const;
export type Tier = (typeof tiers)[number];

/** Incidents of this tier go to no destination. */
export const unroutedTier: Tier = "bronze";
/** Incidents of this tier wait before they open a ticket, and heal by themselves within that time. */
const heldTier: Tier = "silver";

const destination = "snow";

/** One incident per app, whatever tool tells of it. */
export function writeConfiguration(
  file: string,
  options: { readonly snowUrl: string; readonly freeSpace?: string; readonly killTimeMs?: number },
): void {
  const window = "window: { type: until_resolved, max_age: 24h, max_alerts: 100000, reopen: 24h }";
  writeFileSync(
    file,
    `version: 1
log_level: warn
sources:
  alertmanager: { type: alertmanager }
  datadog: { type: datadog }
  nagios: { type: nagios }
  zabbix: { type: zabbix }
rules:
  - id: quiet
    match: { labels.tier: ${unroutedTier} }
    group_by: [labels.app]
    ${window}
    hold: 0s
  - id: held
    match: { labels.tier: ${heldTier} }
    group_by: [labels.app]
    ${window}
    hold: 1s
    resolve_delay: 500ms
    incident: { title: "{{labels.app}}: {{title}}" }
  - id: prompt
    group_by: [labels.app]
    ${window}
    hold: 0s
    incident: { title: "{{labels.app}}: {{title}}", assignment_group: platform }
routes:
  - match: { rule_id: [prompt, held] }
    to: [${destination}]
destinations:
  ${destination}:
    type: servicenow
    mode: live
    url: ${options.snowUrl}
    allow_networks: [127.0.0.0/8]
    auth: { basic: { username: winnow, password: { env: SNOW_PASSWORD } } }
    kill_time: ${options.killTimeMs ?? killTimeMsDefault}ms
    max_creates_per_minute: 100000
limits: { free_space: ${options.freeSpace ?? "16MiB"} }
`,
  );
}
