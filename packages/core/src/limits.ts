/** Named maxima of the engine. They count items and steps, never time or memory, so that every replay meets them alike. */
export const engineLimits = {
  /** How long a resolved alert is remembered, to recognise late and doubled messages; ms. */
  resolvedMemoryMs: 24 * 3_600_000,
  /** How long a resolve without an open alert is remembered, for messages out of order; ms. */
  earlyResolveMemoryMs: 3_600_000,
  /** How long after a resolve a fire of the same episode counts as its late echo; ms. Later the alert is back. */
  echoMs: 120_000,
  /** The same where the resolve came before any fire; ms. */
  earlyResolveEchoMs: 600_000,
  /** Bounds of the time between two looks at a stale alert; ms. */
  staleCheckMsMin: 5_000,
  staleCheckMsMax: 300_000,
  /** Distinct hosts, services and environments kept per incident, for breadth. */
  breadthMax: 50,
  /** Action ids remembered per incident, so that a repeated request acts once. */
  actionIdsMax: 50,
  /** Alerts waiting in one group below min_alerts. */
  pendingMax: 1_000,
  /** How long an incident's state stays after the reopen time; ms. */
  incidentMemoryMs: 60_000,
  /** How often a resolved member is looked at, whether its incident is forgotten; ms. */
  memberMemoryMs: 3_600_000,
  /** Members carried by one incident event. */
  membersPerEventMax: 500,
} as const;

/** Version of the deciding code: it rises whenever the same log could give other decisions. */
export const engineVersion = 1;
