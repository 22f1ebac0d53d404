export * from "./checkpoint-store.ts";
export * from "./environment.ts";
export * from "./event-log.ts";
export * from "./incident-store.ts";
export * from "./membership.ts";
export * from "./ticket-sink.ts";
export * from "./window-store.ts";
