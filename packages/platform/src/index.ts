export * from "./address-guard.ts";
export * from "./errors.ts";
export * from "./http-client.ts";
export * from "./retry-after.ts";
