import type { DescribedSource } from "../described-source.ts";
import { normaliseNagios } from "./normalise.ts";
import { bodySchema } from "./schema.ts";

export const nagios: DescribedSource = {
  type: "nagios",
  title: "Nagios, Naemon, Icinga 1",
  accepts: ["form", "json"],
  auth: ["bearer", "header", "basic", "query", "path"],
  version: 1,
  bodySchema,
  normalise: normaliseNagios,
};
