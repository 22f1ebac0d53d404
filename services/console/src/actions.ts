import type { ActionRecord, DeadLetterAction } from "@winnow/contracts";
import { partitionOf } from "@winnow/core";
import type { IncidentRow } from "@winnow/ports";
import type { ConsoleOptions } from "./options.ts";

/** How long the API waits for an action to be applied; ms. */
const appliedWithinMs = 2_000;
/** How often to look for what another process may have recorded; ms. */
const lookMs = 100;

/** Puts what people do into the log of the incident's scope, and waits until it is applied. */
export class Actions {
  readonly #options: ConsoleOptions;

  constructor(options: ConsoleOptions) {
    this.#options = options;
  }

  /**
   * Resolves with the incident that shows the action, or null when it was not applied within 2 s (it will be:
   * the record is durable). The same action id acts once.
   */
  async act(row: IncidentRow, action: Omit<ActionRecord, "type" | "at_ms">): Promise<IncidentRow | null> {
    if (row.action_ids.includes(action.action_id)) return row;
    const { clock } = this.#options;
    // A commit in this process ends the wait at once; one in another is looked for.
    const recorded = new AbortController();
    const unsubscribe = this.#options.onRecorded((incidents) => {
      const mine = incidents.find((incident) => incident.snapshot.incident_id === action.incident_id);
      if (mine?.action_ids.includes(action.action_id) === true) recorded.abort();
    });
    try {
      await this.#append(row.snapshot.scope, { type: "action", at_ms: clock.now(), ...action });
      const until = clock.monotonic() + appliedWithinMs;
      while (clock.monotonic() < until) {
        await clock.sleep(lookMs, recorded.signal);
        const now = await this.#applied(action);
        if (now !== null || recorded.signal.aborted) return now;
      }
      return await this.#applied(action);
    } finally {
      unsubscribe();
    }
  }

  async #applied({
    incident_id,
    action_id,
  }: Pick<ActionRecord, "incident_id" | "action_id">): Promise<IncidentRow | null> {
    const now = await this.#options.store.incident(incident_id);
    return now?.action_ids.includes(action_id) === true ? now : null;
  }

  /** A decision about a dead letter, as a record: its state changes when stage C comes by. */
  async decideDeadLetter(action: Omit<DeadLetterAction, "type" | "at_ms">): Promise<void> {
    await this.#append(action.id, { type: "dead_letter_action", at_ms: this.#options.clock.now(), ...action });
  }

  async #append(key: string, item: ActionRecord | DeadLetterAction): Promise<void> {
    const { log, clock } = this.#options;
    const value = { kind: "actions" as const, at_ms: clock.now(), items: [item] };
    await log.append("transitions", partitionOf(key, log.partitions), [{ value, events: 0 }]);
  }
}
