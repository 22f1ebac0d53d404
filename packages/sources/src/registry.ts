import { alertmanager } from "./alertmanager/index.ts";
import { datadog } from "./datadog/index.ts";
import { nagios } from "./nagios/index.ts";
import type { Source } from "./source.ts";
import { zabbix } from "./zabbix/index.ts";

/** Every kind of inbound tool, one line each. */
export const sources: readonly Source[] = [alertmanager, datadog, nagios, zabbix];

/** The source of that type, or undefined. */
export function sourceByType(type: string): Source | undefined {
  return sources.find((source) => source.type === type);
}
