export * from "./correlator.ts";
