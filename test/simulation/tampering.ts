import type { correlateStage, dedupStage } from "@winnow/core";
import type { CheckpointStore, Clock, EventLog, TicketSink, WindowStore } from "@winnow/ports";
import type { PartitionSession } from "@winnow/runtime";
import type { CheckpointFlaws, DiskFlaws, VirtualProcess, WindowFlaws, WorkingIncidentStore } from "@winnow/testkit";
import type { Roughness } from "./chaos.ts";

/** What a planted break puts in the place of a sound part. The product itself carries no switch. */
export interface Tampering {
  /** Makes the moments more frequent at which the break can show. */
  readonly roughness?: Partial<Roughness>;
  readonly disk?: Partial<DiskFlaws>;
  readonly windowTables?: Partial<WindowFlaws>;
  readonly checkpointTables?: Partial<CheckpointFlaws>;
  /** The stages' appends are answered from the cache. */
  readonly stagesAckFromCache?: boolean;
  /** The receivers' appends likewise. */
  readonly receiversAckFromCache?: boolean;
  /** A receiver put back from a backup keeps its id and counts on from there. */
  readonly receiverKeepsId?: boolean;
  readonly log?: (log: EventLog, process: VirtualProcess) => EventLog;
  readonly windows?: (store: WindowStore, process: VirtualProcess) => WindowStore;
  readonly checkpoints?: (store: CheckpointStore, process: VirtualProcess) => CheckpointStore;
  readonly incidents?: (store: WorkingIncidentStore, process: VirtualProcess) => WorkingIncidentStore;
  readonly sink?: (sink: TicketSink, process: VirtualProcess) => TicketSink;
  readonly stageA?: (stage: typeof dedupStage) => typeof dedupStage;
  readonly stageB?: (stage: typeof correlateStage) => typeof correlateStage;
  readonly session?: (
    session: PartitionSession,
    at: { readonly stage: string; readonly partition: number; readonly clock: Clock },
  ) => PartitionSession;
}

export const untampered: Tampering = {};
