export { startEmbedded } from "./assembly/assemble.ts";
export type { Embedded, EmbeddedOptions } from "./assembly/options.ts";
export { type ReplayedPartition, type ReplayReport, verifyReplay } from "./replay/verify-replay.ts";
