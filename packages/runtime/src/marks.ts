import { compareOutputIds, type EventsRecord, type OutputItem, type OutputsRecord } from "@winnow/contracts";
import { WinnowError } from "@winnow/platform";

/**
 * What has been taken in from each upstream. At or below a mark is dropped, the direct successor is taken,
 * and anything else is a gap, which stops the partition.
 */
export class Marks {
  readonly #marks: Map<string, readonly number[]>;

  constructor(marks: Readonly<Record<string, readonly number[]>>) {
    this.#marks = new Map(Object.entries(marks));
  }

  /** True when the receiver's record is new. Throws `input_gap` when records before it are missing. */
  takeEvents(record: EventsRecord): boolean {
    const mark = this.#marks.get(record.receiver_id)?.[0] ?? 0;
    if (record.seq <= mark) return false;
    if (record.seq !== mark + 1)
      throw new WinnowError("input_gap", `records of receiver ${record.receiver_id} are missing`, {
        fields: { expected: mark + 1, found: record.seq },
      });
    this.#marks.set(record.receiver_id, [record.seq]);
    return true;
  }

  /** The items of an upstream record that are new. Throws `input_gap` when items before them are missing. */
  takeOutputs(record: OutputsRecord): readonly OutputItem[] {
    const upstream = `${record.stage}.${record.partition}`;
    return record.items.filter((item) => this.#takeOutput(upstream, item));
  }

  #takeOutput(upstream: string, item: OutputItem): boolean {
    const mark = this.#marks.get(upstream) as OutputItem["id"] | undefined;
    if (mark !== undefined && compareOutputIds(item.id, mark) <= 0) return false;
    const follows =
      mark === undefined ? item.prev === null : item.prev !== null && compareOutputIds(item.prev, mark) === 0;
    if (!follows)
      throw new WinnowError("input_gap", `outputs of ${upstream} are missing`, {
        fields: { expected_after: String(mark ?? null), found_after: String(item.prev) },
      });
    this.#marks.set(upstream, item.id);
    return true;
  }

  toJSON(): Record<string, readonly number[]> {
    return Object.fromEntries(this.#marks);
  }
}
