import { randomUUID } from "node:crypto";
import { assert, WinnowError } from "@winnow/platform";
import type {
  Claim,
  CommitMeta,
  CommitResult,
  Deadline,
  Loaded,
  Refusal,
  StagePartition,
  StateCommit,
  StateRow,
  WindowStore,
} from "@winnow/ports";
import { listOf, type RedisConnection, type Reply, textOf, textOrNull } from "./connection.ts";
import { type PartitionKeys, partitionKeys } from "./keys.ts";
import { type Chunk, chunkStatesMax, chunksOf, deadlinesOf, rowsOf } from "./packing.ts";
import type { ScriptName, ScriptRunner } from "./scripts.ts";
import { checkServer } from "./server.ts";

/** Chunks on their way at once: a commit or load of any size fills neither Redis' buffers nor the socket's. */
const CHUNKS_AT_ONCE = 16;
const DUE_PAGE_KEYS = 1_000;
const SCAN_PAGE_ROWS = 200;
/** How often a call begins again because of the owner's commits before it gives up. */
const TRIES = 20;

interface Settings {
  readonly prefix: string;
  readonly partitions: number;
  readonly chunkStates: number;
}

export class RedisWindowStore implements WindowStore {
  readonly #connection: RedisConnection;
  readonly #scripts: ScriptRunner;
  readonly #prefix: string;
  readonly #partitions: number;
  readonly #chunkStates: number;

  constructor(connection: RedisConnection, scripts: ScriptRunner, settings: Settings) {
    this.#connection = connection;
    this.#scripts = scripts;
    this.#prefix = settings.prefix;
    this.#partitions = settings.partitions;
    this.#chunkStates = settings.chunkStates;
  }

  async claim(at: StagePartition, token: string): Promise<Claim> {
    const keys = this.#keys(at);
    // Redis may have been emptied, replaced or reconfigured since; a claim follows each of them.
    await checkServer(this.#connection, this.#prefix, this.#partitions);
    const [position, meta] = listOf(await this.#scripts.run("claim", keys, [token]));
    const deadlines = await this.#deadlines(keys, token, textOf(position));
    return { meta: parseMeta(meta), deadlines };
  }

  async load(at: StagePartition, token: string, position: number, keys: readonly string[]): Promise<Loaded> {
    const place = this.#keys(at);
    const pieces = keys.length === 0 ? [keys] : piecesOf(keys);
    const answers = await inGroups(pieces, async (piece): Promise<Loaded> => {
      const [word, states, deadlines] = await this.#folded("load", place, [token, position, ...piece]);
      return word === "ok" ? { rows: rowsOf(piece, states, deadlines) } : refusalOf(word);
    });
    const refused = answers.find((answer) => "refused" in answer);
    return refused ?? { rows: answers.flatMap((answer) => ("rows" in answer ? answer.rows : [])) };
  }

  async commit(at: StagePartition, token: string, previous: number, commit: StateCommit): Promise<CommitResult> {
    const keys = this.#keys(at);
    const { meta, changes } = commit;
    assert(Number.isSafeInteger(meta.position), "a position is a whole number");
    const chunks = chunksOf(changes, this.#chunkStates);
    const fence = [token, previous];
    const decision = [...fence, meta.position, JSON.stringify(meta)];
    if (chunks.length <= 1) {
      const [word] = await this.#folded("commit", keys, [...decision, ...(chunks[0] ?? [])]);
      return resultOf(word);
    }
    const id = randomUUID();
    const staged = await this.#stage(keys, [...fence, id], chunks);
    if (typeof staged !== "number") return staged;
    const [word] = await this.#folded("decide", keys, [...decision, id, staged]);
    const result = resultOf(word);
    if ("committed" in result) await this.#foldSoon(keys, chunks.length);
    return result;
  }

  async verify(at: StagePartition, token: string, position: number): Promise<boolean> {
    const reply = await this.#connection.call("unavailable", "HMGET", [this.#keys(at).owner, "token", "position"]);
    const [owner, stored] = listOf(reply);
    return owner === token && stored === String(position);
  }

  async metas(stage: "A" | "B"): Promise<readonly { partition: number; meta: CommitMeta | null }[]> {
    const all = Array.from({ length: this.#partitions }, (_, partition) => partition);
    return Promise.all(
      all.map(async (partition) => {
        const { owner } = this.#keys({ stage, partition });
        return { partition, meta: parseMeta(await this.#connection.call("unavailable", "HGET", [owner, "meta"])) };
      }),
    );
  }

  async scan(
    at: StagePartition,
    range: { readonly prefix: string; readonly after: string | null; readonly limit: number },
  ): Promise<readonly StateRow[]> {
    const place = this.#keys(at);
    const { prefix, after, limit } = range;
    const rows: StateRow[] = [];
    // Keys are ordered by their UTF-8 bytes, which is not how strings compare here.
    let from =
      after !== null && Buffer.compare(Buffer.from(after), Buffer.from(prefix)) >= 0 ? `(${after}` : `[${prefix}`;
    while (rows.length < limit) {
      const wanted = Math.min(SCAN_PAGE_ROWS, limit - rows.length);
      const [, states, deadlines, listed] = await this.#folded("scan", place, [prefix, from, wanted]);
      const keys = listOf(listed).map(textOf);
      for (const row of rowsOf(keys, states, deadlines)) rows.push(row);
      if (keys.length < wanted) break;
      from = `(${keys.at(-1) ?? ""}`;
    }
    return rows;
  }

  async peek(at: StagePartition, keys: readonly string[]): Promise<readonly StateRow[]> {
    const place = this.#keys(at);
    for (let tries = 0; tries < TRIES; tries += 1) {
      const pieces = await inGroups(piecesOf(keys), async (piece) => {
        const [, states, deadlines, position] = await this.#folded("peek", place, piece);
        return { rows: rowsOf(piece, states, deadlines), position };
      });
      if (new Set(pieces.map(({ position }) => position)).size <= 1) return pieces.flatMap(({ rows }) => rows);
    }
    throw tooFast();
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  /** All deadlines of the partition, page by page, each fenced. */
  async #deadlines(keys: PartitionKeys, token: string, position: string): Promise<readonly Deadline[]> {
    const deadlines: Deadline[] = [];
    for (let from = "-"; ; ) {
      const [word, last, page] = await this.#folded("due", keys, [token, position, from, DUE_PAGE_KEYS]);
      if (word !== "ok")
        throw new WinnowError(
          "store_unavailable",
          `The partition changed while its deadlines were read: ${textOf(word)}`,
        );
      for (const deadline of deadlinesOf(page)) deadlines.push(deadline);
      const next = textOrNull(last);
      if (next === null) return deadlines;
      from = `(${next}`;
    }
  }

  /** Lays the chunks of a large commit aside; the count of strings staged, or the refusal. */
  async #stage(
    keys: PartitionKeys,
    head: readonly (string | number)[],
    chunks: readonly Chunk[],
  ): Promise<number | Refusal> {
    const parts = chunks.map((chunk, index) => [...head, index === 0 ? "first" : "more", ...chunk]);
    const send = async (part: readonly (string | number)[]): Promise<Refusal | null> => {
      const reply = await this.#scripts.run("stage", keys, part);
      return typeof reply === "number" ? null : refusalOf(reply);
    };
    // The first one alone: where Redis has forgotten the script, it would arrive after the others and drop them.
    const [first, ...others] = parts;
    const refused = await inGroups(first === undefined ? [] : [first], send);
    if (refused[0] === null) refused.push(...(await inGroups(others, send)));
    return refused.find((refusal) => refusal !== null) ?? stagedStrings(chunks);
  }

  /** Runs a script; while it meets a decided commit, that is folded in first, whoever's it is. */
  async #folded(name: ScriptName, keys: PartitionKeys, args: readonly (string | number)[]): Promise<readonly Reply[]> {
    for (let tries = 0; tries < TRIES; tries += 1) {
      const reply = await this.#scripts.run(name, keys, args);
      const parts = Array.isArray(reply) ? listOf(reply) : [reply];
      if (parts[0] !== "folding") return parts;
      while ((await this.#scripts.run("fold", keys, [])) !== 0);
    }
    throw tooFast();
  }

  /** Folds a commit of ours. It is in force whatever comes of this: what stays is folded by whoever meets it. */
  async #foldSoon(keys: PartitionKeys, chunks: number): Promise<void> {
    const folds = Array.from({ length: chunks }, () => keys);
    await Promise.allSettled([inGroups(folds, (at) => this.#scripts.run("fold", at, []))]);
  }

  #keys(at: StagePartition): PartitionKeys {
    const { partition } = at;
    assert(Number.isInteger(partition) && partition >= 0 && partition < this.#partitions, "the partition exists");
    return partitionKeys(this.#prefix, at);
  }
}

function parseMeta(text: Reply | undefined): CommitMeta | null {
  return text === null ? null : (JSON.parse(textOf(text)) as CommitMeta);
}

function resultOf(word: Reply | undefined): CommitResult {
  return word === "committed" ? { committed: true } : refusalOf(word);
}

function tooFast(): WinnowError {
  return new WinnowError("store_unavailable", "The partition's owner commits faster than its states can be read");
}

/** What `staged` holds: the commit's id, then per chunk the count of its strings and those. */
function stagedStrings(chunks: readonly Chunk[]): number {
  return chunks.reduce((strings, chunk) => strings + 1 + chunk.length, 1);
}

/** Throws WinnowError `store_unavailable` for a commit that another one of the same owner came between. */
function refusalOf(word: Reply | undefined): Refusal {
  if (word === "fenced" || word === "position") return { refused: word };
  assert(word === "mixed", "a script answers with a word of its header");
  throw new WinnowError("store_unavailable", "Another commit of the same owner came between");
}

/** Keys in pieces of one script's worth. */
function piecesOf(keys: readonly string[]): readonly (readonly string[])[] {
  return Array.from({ length: Math.ceil(keys.length / chunkStatesMax) }, (_, index) =>
    keys.slice(index * chunkStatesMax, (index + 1) * chunkStatesMax),
  );
}

/** Sends the items in order, a bounded number on their way at once; rejects with the first failure. */
async function inGroups<Item, Answer>(
  items: readonly Item[],
  send: (item: Item) => Promise<Answer>,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let start = 0; start < items.length; start += CHUNKS_AT_ONCE)
    answers.push(...(await Promise.all(items.slice(start, start + CHUNKS_AT_ONCE).map(send))));
  return answers;
}
