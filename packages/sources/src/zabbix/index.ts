import type { DescribedSource } from "../described-source.ts";
import { normaliseZabbix } from "./normalise.ts";
import { bodySchema } from "./schema.ts";

export const zabbix: DescribedSource = {
  type: "zabbix",
  title: "Zabbix",
  accepts: ["json"],
  auth: ["bearer", "header", "basic", "query", "path"],
  version: 1,
  bodySchema,
  normalise: normaliseZabbix,
};
