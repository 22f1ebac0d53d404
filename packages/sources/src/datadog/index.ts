import type { Source } from "../source.ts";
import { normaliseDatadog } from "./normalise.ts";

export const datadog: Source = {
  type: "datadog",
  title: "Datadog",
  accepts: ["json", "form"],
  auth: ["header", "bearer", "basic", "query", "path"],
  version: 1,
  normalise: normaliseDatadog,
};
