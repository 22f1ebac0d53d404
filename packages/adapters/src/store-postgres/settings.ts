import { WinnowError } from "@winnow/platform";
import type { Activation, FactStore, RuleSetStore, StoredRuleSet, StoredToken, TokenStore } from "@winnow/ports";
import type { Postgres, Statements } from "./engine/postgres.ts";

const LAST_ACTIVATION = "SELECT generation, digest FROM activation ORDER BY generation DESC LIMIT 1";

/** Rule sets by digest and the activation in force. */
export function ruleSetOperations(postgres: Postgres): RuleSetStore {
  return {
    putRuleSet: async ({ digest, text, stored_ms }) => {
      const sql = "INSERT INTO rule_set (digest, text, stored_ms) VALUES ($1, $2, $3) ON CONFLICT (digest) DO NOTHING";
      await postgres.change(sql, [digest, text, stored_ms]);
    },
    ruleSet: async (digest) => {
      const sql = "SELECT digest, text, stored_ms FROM rule_set WHERE digest = $1";
      const [found] = await postgres.read<StoredRuleSet>(sql, [digest]);
      return found ?? null;
    },
    activation: async () => {
      const [last] = await postgres.read<Activation>(LAST_ACTIVATION);
      return last ?? null;
    },
    activate: (digest) => postgres.transaction((statements) => activate(statements, digest)),
  };
}

async function activate(statements: Statements, digest: string): Promise<Activation> {
  const [set] = await statements.rows("SELECT digest FROM rule_set WHERE digest = $1", [digest]);
  if (set === undefined) {
    throw new WinnowError("rule_set_missing", "The rule set to activate is not stored", { fields: { digest } });
  }
  // Readers go on; activations come one after another.
  await statements.rows("LOCK TABLE activation IN SHARE ROW EXCLUSIVE MODE");
  const [inForce] = await statements.rows<Activation>(LAST_ACTIVATION);
  if (inForce?.digest === digest) return inForce;
  const activated = { generation: (inForce?.generation ?? 0) + 1, digest };
  const sql = "INSERT INTO activation (generation, digest) VALUES ($1, $2)";
  await statements.change(sql, [activated.generation, digest]);
  return activated;
}

/** Small facts of the installation. */
export function factOperations(postgres: Postgres): FactStore {
  return {
    fact: async (name) => {
      const [found] = await postgres.read<{ value: string }>("SELECT value FROM fact WHERE name = $1", [name]);
      return found?.value ?? null;
    },
    setFact: async (name, value) => {
      const sql = `INSERT INTO fact (name, value) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value`;
      await postgres.change(sql, [name, value]);
    },
    keepFact: async (name, value) => {
      await postgres.change("INSERT INTO fact (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING", [
        name,
        value,
      ]);
      const [found] = await postgres.read<{ value: string }>("SELECT value FROM fact WHERE name = $1", [name]);
      return found?.value ?? value;
    },
    factsUnder: async (prefix) => {
      const sql = "SELECT name, value FROM fact WHERE starts_with(name, $1) ORDER BY name";
      const found = await postgres.read<{ name: string; value: string }>(sql, [prefix]);
      return Object.fromEntries(found.map((fact) => [fact.name, fact.value]));
    },
  };
}

/** Tokens of people and programs, by their hashes. */
export function tokenOperations(postgres: Postgres): TokenStore {
  return {
    tokens: async () => {
      const sql = "SELECT id, name, scopes, hash, created_ms, revoked_ms FROM token ORDER BY created_ms, id";
      const rows = await postgres.read<Omit<StoredToken, "scopes"> & { readonly scopes: string }>(sql);
      return rows.map((row) => ({ ...row, scopes: JSON.parse(row.scopes) as string[] }));
    },
    putToken: async ({ id, name, scopes, hash, created_ms, revoked_ms }) => {
      const sql = `INSERT INTO token (id, name, scopes, hash, created_ms, revoked_ms) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (id) DO UPDATE SET name = excluded.name, scopes = excluded.scopes, hash = excluded.hash,
          created_ms = excluded.created_ms, revoked_ms = excluded.revoked_ms`;
      await postgres.change(sql, [id, name, JSON.stringify(scopes), hash, created_ms, revoked_ms]);
    },
    revokeToken: async (id, atMs) => {
      const sql = "UPDATE token SET revoked_ms = $2 WHERE id = $1 AND revoked_ms IS NULL";
      return (await postgres.change(sql, [id, atMs])) === 1;
    },
  };
}
