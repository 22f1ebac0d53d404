import type { LogValue, OutputBody } from "@winnow/contracts";
import {
  type CompiledRuleSet,
  deadLetterOf,
  decideRecord,
  engineVersion,
  type IncidentRecord,
  incidentIdOf,
  type RecordDecision,
  routingDigestOf,
  type Wish,
} from "@winnow/core";
import type {
  CommitMeta,
  CommitResult,
  EventLog,
  IncidentRecorder,
  RecordBatch,
  Refusal,
  StoredRecord,
} from "@winnow/ports";
import { tooOld } from "./engine-change.ts";
import { Marks } from "./marks.ts";
import { ClaimLost, checkClaim, type PartitionSession } from "./partition-loop.ts";
import { timeOf } from "./record-time.ts";
import type { RuleBook } from "./rule-book.ts";

export interface RecordDependencies {
  readonly log: EventLog;
  readonly store: IncidentRecorder;
  readonly rules: RuleBook;
  readonly hash: (text: string) => string;
  /** Incidents kept in memory per partition. */
  readonly cacheMax: number;
  /** Deliveries may be due: the router looks at once. */
  readonly wished: (destinations: ReadonlySet<string>) => void;
  /** A commit made these incidents' new versions visible. */
  readonly recorded: (incidents: readonly IncidentRecord[]) => void;
}

type Row<Name extends keyof RecordBatch> = RecordBatch[Name][number];

/** What the next commit writes, gathered record by record. */
class Gathering {
  readonly incidents = new Map<string, IncidentRecord>();
  readonly members = new Map<string, Row<"members">>();
  readonly timeline: Row<"timeline">[] = [];
  readonly wishes = new Map<string, Wish>();
  readonly deadLetters: Row<"dead_letters">[] = [];

  add(id: string | null, decision: RecordDecision): void {
    if (decision.incident !== null && id !== null) this.incidents.set(id, decision.incident);
    for (const member of decision.members)
      this.members.set(`${id} ${member.fingerprint} ${member.episode.id}`, { incident_id: id ?? "", member });
    for (const row of decision.timeline) this.timeline.push({ incident_id: id ?? "", row });
    for (const wish of decision.wishes) {
      const key = `${wish.incident_id} ${wish.destination}`;
      const urgent = wish.urgent || this.wishes.get(key)?.urgent === true;
      this.wishes.set(key, { ...wish, urgent });
    }
    if (decision.deadLetter !== null) this.deadLetters.push(decision.deadLetter);
    if (decision.deadLetterChange !== null) this.deadLetters.push(decision.deadLetterChange);
  }

  batch(): RecordBatch {
    return {
      incidents: [...this.incidents.values()],
      members: [...this.members.values()],
      timeline: this.timeline,
      wishes: [...this.wishes.values()],
      dead_letters: this.deadLetters,
    };
  }
}

/** One claim of one partition of stage C: incidents, timelines and desired deliveries, in one transaction per commit. */
export class RecordSession implements PartitionSession {
  readonly #partition: number;
  readonly #token: string;
  readonly #deps: RecordDependencies;
  readonly #logId: string;
  readonly #marks: Marks;
  readonly #known = new Map<string, IncidentRecord | undefined>();
  readonly #rules = new Map<string, CompiledRuleSet>();
  #gathered = new Gathering();
  #position: number;
  #committed: number;
  #clock: number;
  /** C publishes nothing, and its commits are whole: a new engine decides from wherever the old one has committed. */
  #engine = engineVersion;
  #unsaved = false;

  private constructor(
    opened: { partition: number; token: string; logId: string; position: number },
    meta: CommitMeta | null,
    deps: RecordDependencies,
  ) {
    this.#partition = opened.partition;
    this.#token = opened.token;
    this.#logId = opened.logId;
    this.#position = opened.position;
    this.#committed = opened.position;
    this.#deps = deps;
    this.#marks = new Marks(meta?.marks ?? {});
    this.#clock = meta?.clock_ms ?? 0;
  }

  static async open(partition: number, token: string, deps: RecordDependencies): Promise<RecordSession> {
    const claim = await deps.store.claim(partition, token);
    const at = { topic: "incident-events", partition } as const;
    const stands = () => deps.store.verify(partition, token, claim.meta?.position ?? 0);
    const stored = await checkClaim(deps.log, at, { stored: claim.meta, stands });
    const decidedBy = claim.meta?.engine_version ?? engineVersion;
    if (decidedBy > engineVersion) throw tooOld(`engine version ${decidedBy} has decided here`);
    const opened = { partition, token, logId: stored.log_id, position: stored.position };
    return new RecordSession(opened, claim.meta, deps);
  }

  get position(): number {
    return this.#position;
  }

  get committed(): number {
    return this.#committed;
  }

  dirty(): boolean {
    return this.#unsaved;
  }

  /** C is free of timers. */
  nextDeadline(): null {
    return null;
  }

  async tick(): Promise<number> {
    return Promise.reject(new Error("stage C has no timers"));
  }

  async verify(): Promise<Refusal["refused"] | null> {
    if (await this.#deps.store.verify(this.#partition, this.#token, this.#committed)) return null;
    const why = await this.#deps.store.load(this.#partition, this.#token, this.#committed, []);
    return "refused" in why ? why.refused : "position";
  }

  async prefetch(records: readonly StoredRecord[]): Promise<void> {
    const ids = new Set<string>();
    for (const record of records)
      for (const body of bodiesOf(record.value)) {
        const id = incidentIdOf(body);
        if (id !== null && !this.#known.has(id)) ids.add(id);
        await this.#learnRules(routingDigestOf(body));
      }
    if (ids.size > 0) await this.#load([...ids]);
  }

  async #learnRules(digest: string | null): Promise<void> {
    if (digest === null || this.#rules.has(digest)) return;
    const initial = this.#deps.rules.initial;
    this.#rules.set(digest, digest === initial.digest ? initial : await this.#deps.rules.get(digest));
  }

  async #load(ids: readonly string[]): Promise<void> {
    const result = await this.#deps.store.load(this.#partition, this.#token, this.#committed, ids);
    if ("refused" in result) throw new ClaimLost(result);
    const found = new Map(result.rows.map((row) => [row.snapshot.incident_id, row]));
    for (const id of ids) if (!this.#known.has(id)) this.#known.set(id, found.get(id));
  }

  async process(record: StoredRecord): Promise<number> {
    const value = record.value;
    if (value.kind === "engine") await this.#meetEngine(value.version, record.offset);
    const items = value.kind === "outputs" ? this.#marks.takeOutputs(value) : [];
    this.#clock = Math.max(this.#clock, timeOf(record));
    let index = 0;
    for (const item of items) {
      await this.#decide(item.body, record.offset, index);
      index += 1;
    }
    this.#position = record.offset + 1;
    this.#unsaved = true;
    return items.length;
  }

  async #decide(body: OutputBody, offset: number, index: number): Promise<void> {
    const id = incidentIdOf(body);
    const digest = routingDigestOf(body);
    await this.#learnRules(digest);
    if (id !== null && !this.#known.has(id)) await this.#load([id]);
    try {
      const rules = digest === null ? null : (this.#rules.get(digest) ?? null);
      const decision = decideRecord(body, id === null ? undefined : this.#known.get(id), rules);
      if (id !== null && decision.incident !== null) this.#known.set(id, decision.incident);
      this.#gathered.add(id, decision);
    } catch (error) {
      const context = {
        now: this.#clock,
        origin: { partition: this.#partition, offset, index },
        hash: this.#deps.hash,
      };
      this.#gathered.deadLetters.push(
        deadLetterOf(body, error instanceof Error ? error.message : String(error), context),
      );
    }
  }

  /** An old engine commits right behind the record of a new one, and decides no more. */
  async #meetEngine(version: number, offset: number): Promise<void> {
    if (version <= engineVersion) return;
    this.#engine = version;
    this.#position = offset + 1;
    this.#unsaved = true;
    const result = await this.commit();
    if ("refused" in result) throw new ClaimLost(result);
    throw tooOld(`the log goes on with engine version ${version}`);
  }

  /** What the incident store has is durable. */
  async trimBelow(): Promise<number> {
    return Promise.resolve(this.#committed);
  }

  /** Each commit is its own checkpoint. */
  async handOver(): Promise<void> {}

  async commit(): Promise<CommitResult> {
    const gathered = this.#gathered;
    const batch = gathered.batch();
    const meta = this.#meta();
    const result = await this.#deps.store.commit(this.#partition, this.#token, this.#committed, { meta, batch });
    if ("refused" in result) return result;
    this.#gathered = new Gathering();
    this.#committed = meta.position;
    this.#unsaved = false;
    this.#forget();
    if (batch.wishes.length > 0) this.#deps.wished(new Set(batch.wishes.map((wish) => wish.destination)));
    if (batch.incidents.length > 0) this.#deps.recorded(batch.incidents);
    return result;
  }

  #forget(): void {
    let surplus = this.#known.size - this.#deps.cacheMax;
    for (const id of this.#known.keys()) {
      if (surplus <= 0) break;
      this.#known.delete(id);
      surplus -= 1;
    }
  }

  #meta(): CommitMeta {
    return {
      position: this.#position,
      log_id: this.#logId,
      clock_ms: this.#clock,
      rule_generation: 0,
      rule_digest: "",
      engine_version: this.#engine,
      marks: this.#marks.toJSON(),
      published: {},
      outcomes: {},
      seen: 0,
      passed: 0,
      settled: 0,
    };
  }
}

function bodiesOf(value: LogValue): readonly OutputBody[] {
  return value.kind === "outputs" ? value.items.map((item) => item.body) : [];
}
