export { startProcess } from "./assembly/assemble.ts";
export type { ProcessOptions, RunningProcess } from "./assembly/options.ts";
export { type ReplayedPartition, type ReplayReport, verifyReplay } from "./replay/verify-replay.ts";
