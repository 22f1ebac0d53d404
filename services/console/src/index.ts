export * from "./accounting.ts";
export * from "./options.ts";
export * from "./problem.ts";
export * from "./server.ts";
export * from "./tokens.ts";
export { incidentView, timeText } from "./views.ts";
