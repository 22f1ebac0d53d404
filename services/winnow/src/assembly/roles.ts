/** What one process does of the pipeline. */
export const roles = ["receiver", "correlator", "router"] as const;
export type Role = (typeof roles)[number];

/** Takes one of its parts where the process has the role, else null. */
export function inRole<Part>(held: readonly Role[], role: Role, make: () => Part): Part | null {
  return held.includes(role) ? make() : null;
}
