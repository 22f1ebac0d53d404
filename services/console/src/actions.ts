import type { ActionRecord, DeadLetterAction } from "@winnow/contracts";
import { partitionOf } from "@winnow/core";
import type { IncidentRow } from "@winnow/ports";
import type { ConsoleOptions } from "./options.ts";

/** How long the API waits for an action to be applied; ms. */
const appliedWithinMs = 2_000;

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
    const { clock, store } = this.#options;
    const stop = new AbortController();
    const applied = Promise.withResolvers<void>();
    const unsubscribe = this.#options.onRecorded((incidents) => {
      const mine = incidents.find((incident) => incident.snapshot.incident_id === action.incident_id);
      if (mine?.action_ids.includes(action.action_id) === true) applied.resolve();
    });
    try {
      await this.#append(row.snapshot.scope, { type: "action", at_ms: clock.now(), ...action });
      await Promise.race([applied.promise, clock.sleep(appliedWithinMs, stop.signal)]);
    } finally {
      unsubscribe();
      stop.abort();
    }
    const now = await store.incident(action.incident_id);
    return now?.action_ids.includes(action.action_id) === true ? now : null;
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
