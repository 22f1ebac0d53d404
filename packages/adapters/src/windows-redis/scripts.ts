import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { WinnowError } from "@winnow/platform";
import type { IfLost, RedisConnection, Reply } from "./connection.ts";
import type { KeyName, PartitionKeys } from "./keys.ts";

interface ScriptShape {
  readonly ifLost: IfLost;
  /** Libraries in front of it. */
  readonly needs: readonly ("fence" | "apply")[];
  /** Its KEYS, in order. */
  readonly keys: readonly KeyName[];
}

/** One atomic operation each, in `lua/NAME.lua`; a test holds this table equal to the headers there. */
export const scriptShapes = {
  claim: { ifLost: "unknown", needs: [], keys: ["owner", "staged"] },
  due: { ifLost: "unavailable", needs: ["fence"], keys: ["owner", "decided", "deadlines", "keys"] },
  load: { ifLost: "unavailable", needs: ["fence"], keys: ["owner", "decided", "states", "deadlines"] },
  peek: { ifLost: "unavailable", needs: [], keys: ["owner", "decided", "states", "deadlines"] },
  scan: { ifLost: "unavailable", needs: [], keys: ["decided", "states", "deadlines", "keys"] },
  commit: { ifLost: "unknown", needs: ["fence", "apply"], keys: ["owner", "decided", "states", "deadlines", "keys"] },
  stage: { ifLost: "unavailable", needs: ["fence"], keys: ["owner", "staged"] },
  decide: { ifLost: "unknown", needs: ["fence"], keys: ["owner", "staged", "decided"] },
  fold: { ifLost: "unavailable", needs: ["apply"], keys: ["decided", "states", "deadlines", "keys"] },
} as const satisfies Record<string, ScriptShape>;

export type ScriptName = keyof typeof scriptShapes;

export interface ScriptRunner {
  /** Rejects as `RedisConnection.call`. */
  run(name: ScriptName, at: PartitionKeys, args: readonly (string | number)[]): Promise<Reply>;
}

/** Runs the scripts by their digest, and loads one again where Redis has forgotten it. */
export class Scripts implements ScriptRunner {
  readonly #connection: RedisConnection;
  readonly #texts: ReadonlyMap<ScriptName, string>;
  readonly #digests: ReadonlyMap<ScriptName, string>;

  private constructor(connection: RedisConnection, texts: ReadonlyMap<ScriptName, string>) {
    this.#connection = connection;
    this.#texts = texts;
    this.#digests = new Map(
      [...texts].map(([name, text]) => [name, createHash("sha1").update(text).digest("hex")] as const),
    );
  }

  static async open(connection: RedisConnection): Promise<Scripts> {
    const names = Object.keys(scriptShapes) as ScriptName[];
    const texts = await Promise.all(names.map(async (name) => [name, await composeScript(name)] as const));
    const scripts = new Scripts(connection, new Map(texts));
    await Promise.all(names.map((name) => scripts.#load(name)));
    return scripts;
  }

  async run(name: ScriptName, at: PartitionKeys, args: readonly (string | number)[]): Promise<Reply> {
    const { ifLost, keys } = scriptShapes[name];
    const words = [this.#digests.get(name) ?? "", keys.length, ...keys.map((key) => at[key]), ...args];
    try {
      return await this.#connection.call(ifLost, "EVALSHA", words);
    } catch (error) {
      if (!(error instanceof WinnowError) || error.fields["redis_code"] !== "NOSCRIPT") throw error;
      await this.#load(name);
      return this.#connection.call(ifLost, "EVALSHA", words);
    }
  }

  async #load(name: ScriptName): Promise<void> {
    // It changes no data, so a lost answer leaves nothing unknown.
    await this.#connection.call("unavailable", "SCRIPT", ["LOAD", this.#texts.get(name) ?? ""]);
  }
}

/** The text that Redis gets: the script's first line, which names its flags, then its libraries, then the rest. */
export async function composeScript(name: ScriptName): Promise<string> {
  const [own, ...libraries] = await Promise.all([name, ...scriptShapes[name].needs].map(readLua));
  const [flags = "", ...rest] = (own ?? "").split("\n");
  return [flags, ...libraries, ...rest].join("\n");
}

function readLua(name: string): Promise<string> {
  return readFile(new URL(`./lua/${name}.lua`, import.meta.url), "utf8");
}
