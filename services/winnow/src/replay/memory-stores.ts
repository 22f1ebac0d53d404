import type { LogValue, Topic } from "@winnow/contracts";
import type {
  AppendRecord,
  Claim,
  CommitMeta,
  CommitResult,
  EventLog,
  Loaded,
  StateChange,
  StateCommit,
  StateRow,
  WindowStore,
} from "@winnow/ports";

/** An EventLog that keeps what a replayed stage publishes and takes its ticks for nothing. */
export class PublishedOutputs implements EventLog {
  readonly partitions: number;
  readonly #input: Topic;
  readonly #logId: string;
  readonly published: { readonly topic: Topic; readonly partition: number; readonly value: LogValue }[] = [];

  constructor(options: { partitions: number; input: Topic; logId: string }) {
    this.partitions = options.partitions;
    this.#input = options.input;
    this.#logId = options.logId;
  }

  async status(): Promise<{ log_id: string; start_offset: number; end_offset: number; events: number }> {
    return { log_id: this.#logId, start_offset: 0, end_offset: Number.MAX_SAFE_INTEGER, events: 0 };
  }

  async append(topic: Topic, partition: number, records: readonly AppendRecord[]): Promise<number> {
    if (topic !== this.#input) for (const { value } of records) this.published.push({ topic, partition, value });
    return 0;
  }

  async read(): Promise<readonly []> {
    return [];
  }

  async wait(): Promise<boolean> {
    return false;
  }

  async trim(): Promise<void> {
    // Nothing is kept that could be trimmed.
  }

  async close(): Promise<void> {
    // Nothing is open.
  }
}

/** A WindowStore that begins empty and keeps the one commit that a replay makes. */
export class FirstCommit implements WindowStore {
  changes: readonly StateChange[] = [];
  meta: CommitMeta | null = null;

  async claim(): Promise<Claim> {
    return { meta: null, deadlines: [] };
  }

  async load(): Promise<Loaded> {
    return { rows: [] };
  }

  async commit(_at: unknown, _token: string, _previous: number, commit: StateCommit): Promise<CommitResult> {
    this.changes = commit.changes;
    this.meta = commit.meta;
    return { committed: true };
  }

  async verify(): Promise<boolean> {
    return true;
  }

  async metas(): Promise<readonly []> {
    return [];
  }

  async scan(): Promise<readonly StateRow[]> {
    return [];
  }

  async peek(): Promise<readonly StateRow[]> {
    return [];
  }

  async close(): Promise<void> {
    // Nothing is open.
  }
}
