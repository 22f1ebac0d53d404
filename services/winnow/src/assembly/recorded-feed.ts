import type { IncidentRow } from "@winnow/ports";

type Recorded = readonly Pick<IncidentRow, "snapshot" | "action_ids">[];

/** Passes on inside the process what stages tell: incidents recorded, integrations heard of. */
export class RecordedFeed {
  readonly #listeners = new Set<(incidents: Recorded) => void>();
  readonly #delivered: Record<string, number> = {};

  recorded(incidents: Recorded): void {
    for (const listener of this.#listeners) listener(incidents);
  }

  /** Returns the way to stop listening. */
  onRecorded(listener: (incidents: Recorded) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  delivered(integration: string, atMs: number): void {
    this.#delivered[integration] = atMs;
  }

  /** When each integration last delivered; epoch ms. */
  lastDelivered(): Readonly<Record<string, number>> {
    return { ...this.#delivered };
  }
}
