export * from "./contract/event-log.ts";
export * from "./contract/window-store.ts";
