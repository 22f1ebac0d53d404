export type { DescribedSource } from "./described-source.ts";
export * from "./registry.ts";
export { mappingWarnings, rejectionCodes } from "./report.ts";
export * from "./source.ts";
