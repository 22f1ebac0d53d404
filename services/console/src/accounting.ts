import { type Accounting, outcomes } from "@winnow/contracts";
import type { CommitMeta, EventLog, WindowStore } from "@winnow/ports";

/**
 * What became of every accepted event, read from the stores. The equation
 * `accepted = sum of outcomes + in_flight` holds exactly at every moment: each commit counts an event seen together
 * with its outcome or with its being passed on.
 */
export async function readAccounting(log: EventLog, windows: WindowStore): Promise<Accounting> {
  // B before A before the log: what a later reading counts can only add to what is in flight.
  const correlated = await windows.metas("B");
  const deduplicated = await windows.metas("A");
  let accepted = 0;
  for (let partition = 0; partition < log.partitions; partition += 1) {
    const meta = deduplicated.find((one) => one.partition === partition)?.meta ?? null;
    // Stage A has counted up to its position, each event once.
    const counted = meta === null ? undefined : { offset: meta.position, events: meta.seen };
    accepted += (await log.status("alerts", partition, counted)).events;
  }
  const metas = [...correlated, ...deduplicated].map(({ meta }) => meta).filter((meta) => meta !== null);
  const total = (of: (meta: CommitMeta) => number): number => metas.reduce((sum, meta) => sum + of(meta), 0);
  const counts = Object.fromEntries(
    outcomes.map((outcome) => [outcome, total((meta) => meta.outcomes[outcome] ?? 0)]),
  ) as Accounting["outcomes"];
  const inFlight = accepted - total((meta) => meta.seen) + total((meta) => meta.passed) - total((meta) => meta.settled);
  return { accepted, in_flight: inFlight, outcomes: counts };
}
