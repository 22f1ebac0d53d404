export * from "./compile.ts";
export * from "./defaults.ts";
export * from "./digest.ts";
export * from "./naive.ts";
export * from "./parse-rules.ts";
export * from "./read-rules.ts";
export * from "./regex.ts";
export * from "./schema.ts";
