export { startEmbedded } from "./embedded/embedded.ts";
export type { Embedded, EmbeddedOptions } from "./embedded/options.ts";
export { type ReplayedPartition, type ReplayReport, verifyReplay } from "./replay/verify-replay.ts";
