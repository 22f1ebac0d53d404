import type { IncidentMember, TimelineEntry } from "@winnow/contracts";
import { assert } from "@winnow/platform";
import type {
  Activation,
  Claim,
  CommitMeta,
  CommitResult,
  DeadLetterRow,
  IncidentRow,
  RecordBatch,
  Refusal,
  StoredRuleSet,
  TimelineRowStored,
} from "@winnow/ports";
import { DeliveryTable } from "./delivery-table.ts";

interface RecordPartition {
  token: string | null;
  meta: CommitMeta | null;
}

/** What an incident store holds durably. Every method is one transaction. */
export class IncidentTables {
  readonly incidents = new Map<string, IncidentRow>();
  readonly deadLetters = new Map<string, DeadLetterRow>();
  readonly deliveries = new DeliveryTable((id, entry) => {
    this.#tell(id, entry);
  });
  readonly ruleSets = new Map<string, StoredRuleSet>();
  readonly #members = new Map<string, Map<string, IncidentMember>>();
  readonly #timelines = new Map<string, TimelineRowStored[]>();
  readonly #partitions = new Map<number, RecordPartition>();
  #activation: Activation | null = null;

  claim(partition: number, token: string): Claim {
    const own = this.#partition(partition);
    own.token = token;
    return { meta: own.meta, deadlines: [] };
  }

  load(
    partition: number,
    token: string,
    position: number,
    ids: readonly string[],
  ): { readonly rows: readonly IncidentRow[] } | Refusal {
    const rows = ids.map((id) => this.incident(id)).filter((row) => row !== null);
    return this.#refusal(partition, token, position) ?? { rows };
  }

  commit(
    partition: number,
    token: string,
    previous: number,
    commit: { readonly meta: CommitMeta; readonly batch: RecordBatch },
  ): CommitResult {
    const refusal = this.#refusal(partition, token, previous);
    if (refusal !== null) return refusal;
    this.#check(commit.batch);
    this.#partition(partition).meta = commit.meta;
    this.#apply(commit.batch);
    return { committed: true };
  }

  verify(partition: number, token: string, position: number): boolean {
    return this.#refusal(partition, token, position) === null;
  }

  meta(partition: number): CommitMeta | null {
    return this.#partition(partition).meta;
  }

  incident(id: string): IncidentRow | null {
    const row = this.incidents.get(id);
    return row === undefined ? null : { ...row, timeline_seq: this.#timelines.get(id)?.length ?? 0 };
  }

  /** All members of an incident, newest joined first. */
  members(id: string): IncidentMember[] {
    const members = [...(this.#members.get(id)?.values() ?? [])];
    return members.toSorted((left, right) => right.joined_ms - left.joined_ms);
  }

  timeline(id: string): readonly TimelineRowStored[] {
    return this.#timelines.get(id) ?? [];
  }

  activation(): Activation | null {
    return this.#activation;
  }

  activate(digest: string): Activation {
    if (this.#activation?.digest !== digest)
      this.#activation = { generation: (this.#activation?.generation ?? 0) + 1, digest };
    return this.#activation;
  }

  /** Members, timeline rows and wishes are of incidents that are stored or in the same batch. */
  #check(batch: RecordBatch): void {
    const born = new Set(batch.incidents.map((row) => row.snapshot.incident_id));
    for (const { incident_id: id } of [...batch.members, ...batch.timeline, ...batch.wishes])
      assert(born.has(id) || this.incidents.has(id), `incident ${id} is stored`);
  }

  #apply(batch: RecordBatch): void {
    for (const row of batch.incidents) this.incidents.set(row.snapshot.incident_id, row);
    for (const { incident_id, member } of batch.members) {
      const members = this.#members.get(incident_id) ?? new Map<string, IncidentMember>();
      members.set(`${member.fingerprint} ${member.episode.id}`, member);
      this.#members.set(incident_id, members);
    }
    for (const { incident_id, row } of batch.timeline) this.#tell(incident_id, row);
    for (const wish of batch.wishes) this.deliveries.wish(wish);
    for (const step of batch.dead_letters) {
      const letter = this.deadLetters.get(step.id);
      const attempts = letter?.attempts ?? 0;
      if (!("state" in step)) this.deadLetters.set(step.id, { ...step, attempts, state: "waiting" });
      else if (letter !== undefined) {
        const more = step.state === "retried" ? 1 : 0;
        this.deadLetters.set(step.id, { ...letter, state: step.state, attempts: attempts + more });
      }
    }
  }

  #tell(id: string, entry: TimelineEntry): void {
    const rows = this.#timelines.get(id) ?? [];
    rows.push({ ...entry, seq: rows.length + 1 });
    this.#timelines.set(id, rows);
  }

  #refusal(partition: number, token: string, position: number): Refusal | null {
    const own = this.#partition(partition);
    if (own.token !== token) return { refused: "fenced" };
    return (own.meta?.position ?? 0) === position ? null : { refused: "position" };
  }

  #partition(partition: number): RecordPartition {
    let own = this.#partitions.get(partition);
    if (own === undefined) {
      own = { token: null, meta: null };
      this.#partitions.set(partition, own);
    }
    return own;
  }
}
