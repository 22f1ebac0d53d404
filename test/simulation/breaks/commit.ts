import type { Claim, CommitMeta } from "@winnow/ports";
import type { Tampering } from "../tampering.ts";
import { wrapped } from "./wrapped.ts";

/** A claim reads everything but one part of the commit, as if it had never been stored. */
function leftOut(part: (claim: Claim, meta: CommitMeta) => Claim): Tampering {
  return {
    windows: (store) =>
      wrapped(store, {
        claim: async (at, token) => {
          const claim = await store.claim(at, token);
          return claim.meta === null ? claim : part(claim, claim.meta);
        },
      }),
  };
}

function withoutMeta(less: Partial<CommitMeta>): Tampering {
  return leftOut((claim, meta) => ({ ...claim, meta: { ...meta, ...less } }));
}

/** Breaks of what a commit holds and of the equality that it demands. */
export const commitBreaks = (): Readonly<Record<string, Tampering>> => ({
  "position-check-takes-later-positions": { windowTables: { takesLaterPrevious: true } },
  "state-loads-are-not-fenced": { windowTables: { loadsUnfenced: true } },
  "deletions-are-not-kept": { windowTables: { keepsDeleted: true } },
  "cache-kept-after-a-refusal": {
    windows: (store) =>
      wrapped(store, {
        commit: async (at, token, previous, commit) => {
          const result = await store.commit(at, token, previous, commit);
          if (!("refused" in result)) return result;
          const claim = await store.claim(at, token);
          return store.commit(at, token, claim.meta?.position ?? 0, commit);
        },
      }),
  },
  "commit-without-the-id-chain": withoutMeta({ published: {} }),
  "commit-without-marks": withoutMeta({ marks: {} }),
  "commit-without-deadlines": leftOut((claim) => ({ ...claim, deadlines: [] })),
  "commit-without-the-rule-generation": withoutMeta({ rule_generation: 0 }),
  "commit-without-outcomes": withoutMeta({ outcomes: {} }),
  "commit-without-event-counts": withoutMeta({ seen: 0, passed: 0, settled: 0 }),
  "commit-without-the-clock": withoutMeta({ clock_ms: 0 }),
  "commit-without-the-clock-set-back": leftOut((claim, meta) => {
    const { behind: _, ...less } = meta;
    return { ...claim, meta: less };
  }),
});
