import { alertmanager } from "./alertmanager/index.ts";
import { datadog } from "./datadog/index.ts";
import type { DescribedSource } from "./described-source.ts";
import { nagios } from "./nagios/index.ts";
import { zabbix } from "./zabbix/index.ts";

/** Every kind of inbound tool, one line each. */
export const sources: readonly DescribedSource[] = [alertmanager, datadog, nagios, zabbix];

/** The source of that type, or undefined. */
export function sourceByType(type: string): DescribedSource | undefined {
  return sources.find((source) => source.type === type);
}
