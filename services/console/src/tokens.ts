import { timingSafeEqual } from "node:crypto";
import type { Clock, Hash, Ids, StoredToken, TokenStore } from "@winnow/ports";

export const scopes = ["read", "act", "admin"] as const;
export type Scope = (typeof scopes)[number];

/** Who calls, as the timeline will name them. */
export interface Caller {
  readonly name: string;
  readonly scopes: ReadonlySet<string>;
}

const cachedMs = 2_000;

/** API tokens: stored hashed, compared in constant time, cached for a short while. */
export class Tokens {
  readonly #store: TokenStore;
  readonly #hash: Hash;
  readonly #clock: Clock;
  readonly #ids: Ids;
  /** Changes made through this process. */
  #changes = 0;
  #cached: { readonly at: number; readonly tokens: readonly StoredToken[] } | null = null;

  constructor(parts: { store: TokenStore; hash: Hash; clock: Clock; ids: Ids }) {
    this.#store = parts.store;
    this.#hash = parts.hash;
    this.#clock = parts.clock;
    this.#ids = parts.ids;
  }

  /** The caller behind an `Authorization: Bearer` header, or null. */
  async authenticate(header: string | undefined): Promise<Caller | null> {
    const [scheme = "", token = ""] = (header ?? "").split(" ", 2);
    if (scheme.toLowerCase() !== "bearer" || token === "") return null;
    const digest = Buffer.from(this.#hash(token), "hex");
    let found: StoredToken | null = null;
    for (const known of await this.#known()) {
      const same = timingSafeEqual(Buffer.from(known.hash, "hex"), digest);
      if (same && known.revoked_ms === null) found = known;
    }
    return found === null ? null : { name: found.name, scopes: new Set(found.scopes) };
  }

  async list(): Promise<readonly StoredToken[]> {
    return this.#store.tokens();
  }

  /** Makes a token; the only time its text is seen. */
  async create(name: string, granted: readonly Scope[], given?: string): Promise<{ id: string; token: string }> {
    const token = given ?? `wnw_${this.#ids.token()}`;
    const id = `tok_${this.#hash(token).slice(0, 12)}`;
    await this.#store.putToken({
      id,
      name,
      scopes: [...granted],
      hash: this.#hash(token),
      created_ms: this.#clock.now(),
      revoked_ms: null,
    });
    this.#forget();
    return { id, token };
  }

  async revoke(id: string): Promise<boolean> {
    const revoked = await this.#store.revokeToken(id, this.#clock.now());
    this.#forget();
    return revoked;
  }

  async #known(): Promise<readonly StoredToken[]> {
    const now = this.#clock.monotonic();
    if (this.#cached !== null && now - this.#cached.at <= cachedMs) return this.#cached.tokens;
    const changes = this.#changes;
    const tokens = await this.#store.tokens();
    // What was read before a change is not kept beyond it.
    if (changes === this.#changes) this.#cached = { at: now, tokens };
    return tokens;
  }

  #forget(): void {
    this.#changes += 1;
    this.#cached = null;
  }
}
