import type { DatabaseSync } from "node:sqlite";
import type { Activation, FactStore, RuleSetStore, StoredRuleSet, StoredToken, TokenStore } from "@winnow/ports";
import { command, query } from "./engine/database.ts";
import { StoreFailure } from "./engine/failure.ts";
import type { Sync } from "./operations.ts";

/** Rule sets by digest and the activation in force. */
export function ruleSetOperations(db: DatabaseSync): Sync<RuleSetStore> {
  const put = command(
    db,
    "INSERT INTO rule_set (digest, text, stored_ms) VALUES (?, ?, ?) ON CONFLICT (digest) DO NOTHING",
  );
  const one = query<StoredRuleSet>(db, "SELECT digest, text, stored_ms FROM rule_set WHERE digest = ?");
  const last = query<Activation>(db, "SELECT generation, digest FROM activation ORDER BY generation DESC LIMIT 1");
  const next = command(db, "INSERT INTO activation (generation, digest) VALUES (?, ?)");
  const activation = () => plain(last.get());
  return {
    putRuleSet: ({ digest, text, stored_ms }) => void put(digest, text, stored_ms),
    ruleSet: (digest) => plain(one.get(digest)),
    activation,
    activate: (digest) => {
      if (one.get(digest) === undefined) {
        throw new StoreFailure("rule_set_missing", "The rule set to activate is not stored", { digest });
      }
      const inForce = activation();
      if (inForce?.digest === digest) return inForce;
      const activated = { generation: (inForce?.generation ?? 0) + 1, digest };
      next(activated.generation, digest);
      return activated;
    },
  };
}

/** Small facts of the installation. */
export function factOperations(db: DatabaseSync): Sync<FactStore> {
  const one = query<{ value: string }>(db, "SELECT value FROM fact WHERE name = ?");
  const put = command(
    db,
    "INSERT INTO fact (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
  );
  const keep = command(db, "INSERT INTO fact (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING");
  const under = query<{ name: string; value: string }>(
    db,
    "SELECT name, value FROM fact WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name",
  );
  return {
    fact: (name) => one.get(name)?.value ?? null,
    setFact: (name, value) => void put(name, value),
    keepFact: (name, value) => {
      keep(name, value);
      return one.get(name)?.value ?? value;
    },
    factsUnder: (prefix) => Object.fromEntries(under.all(prefix).map(({ name, value }) => [name, value])),
  };
}

/** Tokens of people and programs, by their hashes. */
export function tokenOperations(db: DatabaseSync): Sync<TokenStore> {
  const all = query<Omit<StoredToken, "scopes"> & { readonly scopes: string }>(
    db,
    "SELECT id, name, scopes, hash, created_ms, revoked_ms FROM token ORDER BY created_ms, id",
  );
  const put = command(
    db,
    `INSERT INTO token (id, name, scopes, hash, created_ms, revoked_ms) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET name = excluded.name, scopes = excluded.scopes, hash = excluded.hash,
       created_ms = excluded.created_ms, revoked_ms = excluded.revoked_ms`,
  );
  const revoke = command(db, "UPDATE token SET revoked_ms = ? WHERE id = ? AND revoked_ms IS NULL");
  return {
    tokens: () => all.all().map((row) => ({ ...row, scopes: JSON.parse(row.scopes) as string[] })),
    putToken: ({ id, name, scopes, hash, created_ms, revoked_ms }) =>
      void put(id, name, JSON.stringify(scopes), hash, created_ms, revoked_ms),
    revokeToken: (id, atMs) => revoke(atMs, id) === 1,
  };
}

/** Rows of node:sqlite have no prototype; what leaves the store is a plain object. */
function plain<Row extends object>(row: Row | undefined): Row | null {
  return row === undefined ? null : { ...row };
}
