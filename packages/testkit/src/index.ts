export * from "./contract/event-log.ts";
export * from "./contract/incident-store.ts";
export * from "./contract/sink.ts";
export { sourceContract } from "./contract/source.ts";
export * from "./contract/source-fixtures.ts";
export * from "./contract/ticket-content.ts";
export * from "./contract/window-store.ts";
