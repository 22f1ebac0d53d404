export * from "./alert-event.ts";
export * from "./incident-event.ts";
export * from "./log-record.ts";
export * from "./reason.ts";
export * from "./rule-set.ts";
export * from "./transition.ts";
export * from "./views.ts";
export * from "./vocabulary.ts";
