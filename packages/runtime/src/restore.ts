import type { Topic } from "@winnow/contracts";
import { WinnowError } from "@winnow/platform";
import type {
  Checkpoint,
  CheckpointStore,
  Claim,
  CommitMeta,
  EventLog,
  StagePartition,
  StateChange,
  StateRow,
  WindowStore,
} from "@winnow/ports";
import type { CheckpointReporter } from "./checkpoint-reporter.ts";
import { ClaimLost, checkClaim } from "./partition-loop.ts";

/** A claim, and the checkpoint that was stored when it was made. */
export interface RestoredClaim extends Claim {
  readonly checkpoint: CommitMeta | null;
  /** The last owner said so in its commit; `meta` does not repeat it, since it holds no longer than until a decision. */
  readonly handedOver: boolean;
}

const scanRows = 1_000;

/**
 * All states of a partition in the window store, in key order, a page at a time. Scans are not fenced: `owned` looks
 * around each page whether the store is still the one that was claimed, and rejects when it is not. Once at the end
 * would not do: a store may be emptied and put back meanwhile.
 */
export async function* scanStates(
  windows: WindowStore,
  at: StagePartition,
  owned: () => Promise<void>,
): AsyncGenerator<readonly StateRow[]> {
  await owned();
  for (let after: string | null = null; ; ) {
    const rows = await windows.scan(at, { prefix: "", after, limit: scanRows });
    await owned();
    if (rows.length > 0) yield rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < scanRows) return;
    after = last.key;
  }
}

/**
 * Claims a partition. A window store that is behind the stored checkpoint, holds nothing, or holds states of another log
 * or of an engine before the checkpoint's (it was emptied, or an older copy was put back) is brought to the checkpoint
 * first, in one fenced commit.
 * Rejects with the permanent errors of `checkClaim` when the checkpoint does not fit the log.
 */
export async function claimRestored(
  at: StagePartition & { readonly topic: Topic },
  token: string,
  stores: {
    readonly log: EventLog;
    readonly windows: WindowStore;
    readonly checkpoints?: CheckpointStore;
    readonly checkpointReport?: Pick<CheckpointReporter, "restored">;
  },
): Promise<RestoredClaim> {
  const { log, windows, checkpoints, checkpointReport } = stores;
  const place = { stage: at.stage, partition: at.partition };
  const claim = plain(await windows.claim(place, token));
  const checkpoint = (await checkpoints?.checkpointMeta(place)) ?? null;
  if (checkpoint === null) return { ...claim, checkpoint };
  const stands = () => windows.verify(place, token, claim.meta?.position ?? 0);
  await checkClaim(log, at, { stored: checkpoint, stands });
  if (!isOlder(claim.meta, checkpoint)) return { ...claim, checkpoint };
  const stored = (await checkpoints?.loadCheckpoint(place)) ?? null;
  if (stored === null) throw new WinnowError("store_unavailable", "the checkpoint went away while it was read");
  const restoredClaim = await restored({ place, token, windows }, claim.meta, stored);
  checkpointReport?.restored(place, { from: claim.meta?.position ?? 0, to: stored.meta.position });
  return restoredClaim;
}

function plain({ meta, deadlines }: Claim): Claim & { readonly handedOver: boolean } {
  if (meta === null) return { meta, deadlines, handedOver: false };
  const { handed_over: handedOver = false, ...rest } = meta;
  return { meta: rest, deadlines, handedOver };
}

function isOlder(meta: CommitMeta | null, checkpoint: CommitMeta): boolean {
  if (meta === null || meta.log_id !== checkpoint.log_id) return true;
  // Where a newer engine has decided since, an older one's commit is of a copy that was put back, wherever it stands.
  return meta.position < checkpoint.position || meta.engine_version < checkpoint.engine_version;
}

/** Replaces the partition's states by the checkpoint's: what it does not have is deleted, and the position moves with it. */
async function restored(
  owner: { readonly place: StagePartition; readonly token: string; readonly windows: WindowStore },
  before: CommitMeta | null,
  { meta, rows }: Checkpoint,
): Promise<RestoredClaim> {
  const { place, token, windows } = owner;
  const states = new Map<string, StateRow>();
  for await (const chunk of rows) for (const row of chunk) states.set(row.key, row);
  const changes: StateChange[] = [...states.values()];
  const previous = before?.position ?? 0;
  const owned = async (): Promise<void> => {
    if (!(await windows.verify(place, token, previous))) throw new ClaimLost({ refused: "position" });
  };
  for await (const chunk of scanStates(windows, place, owned))
    for (const { key } of chunk)
      if (!states.has(key)) changes.push({ key, value: null, deadline_ms: null, changed_at: meta.position });
  const result = await windows.commit(place, token, previous, { meta, changes });
  if ("refused" in result) throw new ClaimLost(result);
  const deadlines = [...states.values()].flatMap(({ key, deadline_ms }) =>
    deadline_ms === null ? [] : [{ key, deadline_ms }],
  );
  return { meta, deadlines, checkpoint: meta, handedOver: false };
}
