import type { Source } from "../source.ts";
import { normaliseNagios } from "./normalise.ts";

export const nagios: Source = {
  type: "nagios",
  title: "Nagios, Naemon, Icinga 1",
  accepts: ["form", "json"],
  auth: ["bearer", "header", "basic", "query", "path"],
  version: 1,
  normalise: normaliseNagios,
};
