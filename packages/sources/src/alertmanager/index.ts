import type { Source } from "../source.ts";
import { normaliseAlertmanager } from "./normalise.ts";

export const alertmanager: Source = {
  type: "alertmanager",
  title: "Prometheus Alertmanager",
  accepts: ["json"],
  auth: ["bearer", "basic", "header", "query", "path"],
  version: 1,
  normalise: normaliseAlertmanager,
};
