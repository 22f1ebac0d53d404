/** What one process does of the pipeline. */
export const roles = ["receiver", "correlator", "router"] as const;
export type Role = (typeof roles)[number];
