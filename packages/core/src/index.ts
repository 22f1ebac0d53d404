export * from "./partition.ts";
