import type { Priority, Severity } from "@winnow/contracts";
import type { Style } from "./terminal.ts";

const priorityStyles: Readonly<Record<Priority, Style | null>> = {
  P1: ["bold", "red"],
  P2: "red",
  P3: "yellow",
  P4: null,
  P5: "dim",
};
const severityStyles: Readonly<Record<Severity, Style | null>> = {
  critical: ["bold", "red"],
  error: "red",
  warning: "yellow",
  info: null,
  unknown: "magenta",
};
/** Words of every closed set that states come from: what calls for a person stands out, what is over steps back. */
const stateStyles: Readonly<Record<string, Style>> = {
  new: "bold",
  acknowledged: "cyan",
  resolved: "green",
  closed: "dim",
  reviewed: "dim",
  firing: "red",
  unknown: "yellow",
  parked: "yellow",
  dead: ["bold", "red"],
  waiting: "yellow",
  discarded: "dim",
};

export function priorityStyle(priority: Priority): Style | null {
  return priorityStyles[priority] ?? null;
}

export function severityStyle(severity: Severity): Style | null {
  return severityStyles[severity] ?? null;
}

export function stateStyle(state: string): Style | null {
  return stateStyles[state] ?? null;
}
