import type { DescribedSource } from "../described-source.ts";
import { normaliseAlertmanager } from "./normalise.ts";
import { bodySchema } from "./schema.ts";

export const alertmanager: DescribedSource = {
  type: "alertmanager",
  title: "Prometheus Alertmanager",
  accepts: ["json"],
  auth: ["bearer", "basic", "header", "query", "path"],
  version: 1,
  bodySchema,
  normalise: normaliseAlertmanager,
};
