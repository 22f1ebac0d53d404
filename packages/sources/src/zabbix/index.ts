import type { Source } from "../source.ts";
import { normaliseZabbix } from "./normalise.ts";

export const zabbix: Source = {
  type: "zabbix",
  title: "Zabbix",
  accepts: ["json"],
  auth: ["bearer", "header", "basic", "query", "path"],
  version: 1,
  normalise: normaliseZabbix,
};
