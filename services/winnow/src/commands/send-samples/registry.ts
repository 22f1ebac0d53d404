import { alertmanager, prometheus } from "./alertmanager.ts";
import { datadog } from "./datadog.ts";
import { nagios } from "./nagios.ts";
import type { SampleTool } from "./sample.ts";
import { zabbix } from "./zabbix.ts";

/** Every tool that `winnow send` can dress up as; a test holds it to cover every source. */
export const sampleTools: readonly SampleTool[] = [alertmanager, prometheus, nagios, zabbix, datadog];
