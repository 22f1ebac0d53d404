export type { OpenMode, SegmentFiles } from "./files.ts";
export { nodeFiles } from "./files.ts";
export type { SegmentLog, SegmentLogHealth } from "./log.ts";
export { openSegmentLog } from "./log.ts";
export type { PartitionReport } from "./offline.ts";
export { describeSegments, readSegments } from "./offline.ts";
export type { SegmentLogLogger, SegmentLogOptions, SegmentRetention } from "./options.ts";
export type { Damage } from "./survey.ts";
