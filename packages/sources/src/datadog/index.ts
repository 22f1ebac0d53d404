import type { DescribedSource } from "../described-source.ts";
import { normaliseDatadog } from "./normalise.ts";
import { bodySchema } from "./schema.ts";

export const datadog: DescribedSource = {
  type: "datadog",
  title: "Datadog",
  accepts: ["json", "form"],
  auth: ["header", "bearer", "basic", "query", "path"],
  version: 1,
  bodySchema,
  normalise: normaliseDatadog,
};
