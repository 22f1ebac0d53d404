export * from "./accounting.ts";
export { type AlertFilter, Alerts, type StoredAlert } from "./alerts.ts";
export * from "./options.ts";
export * from "./problem.ts";
export * from "./server.ts";
export * from "./tokens.ts";
export { incidentView, timeText } from "./views.ts";
