export * from "./delivery-worker.ts";
export * from "./marks.ts";
export * from "./partition-loop.ts";
export * from "./partition-set.ts";
export * from "./record-session.ts";
export * from "./rule-book.ts";
export * from "./stage-session.ts";
