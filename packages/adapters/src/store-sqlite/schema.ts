import type { Migration } from "./engine/migrate.ts";

/**
 * Columns stand for what is filtered, sorted or joined; the rest of a row is JSON text. Times are epoch ms.
 * `incident` in other tables is the integer id of the row in `incident`.
 */
export const migrations: readonly Migration[] = [
  {
    version: 1,
    name: "incidents-deliveries-rule-sets",
    kind: "breaking",
    sql: `
      CREATE TABLE setting (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;

      -- Stage C's owner and last commit, per partition.
      CREATE TABLE recorder (
        partition INTEGER PRIMARY KEY,
        token TEXT NOT NULL,
        position INTEGER NOT NULL,
        meta TEXT
      ) STRICT;

      CREATE TABLE incident (
        id INTEGER PRIMARY KEY,
        incident_id TEXT NOT NULL UNIQUE,
        tenant TEXT NOT NULL,
        number INTEGER NOT NULL,
        state TEXT NOT NULL,
        priority TEXT NOT NULL,
        opened_ms INTEGER NOT NULL,
        timeline_seq INTEGER NOT NULL DEFAULT 0,
        -- Lower case: title, service, group key and number, a line each.
        search TEXT NOT NULL,
        destinations TEXT NOT NULL,
        action_ids TEXT NOT NULL,
        snapshot TEXT NOT NULL
      ) STRICT;
      CREATE INDEX incident_by_opened ON incident (opened_ms, incident_id);
      CREATE INDEX incident_by_state ON incident (state, opened_ms, incident_id, priority);

      CREATE TABLE member (
        id INTEGER PRIMARY KEY,
        incident INTEGER NOT NULL,
        fingerprint TEXT NOT NULL,
        episode_id TEXT NOT NULL,
        joined_ms INTEGER NOT NULL,
        body TEXT NOT NULL,
        -- The fingerprint first: one index both finds the row and the incidents of an alert.
        UNIQUE (fingerprint, incident, episode_id)
      ) STRICT;
      CREATE INDEX member_by_joined ON member (incident, joined_ms, id);

      CREATE TABLE timeline (
        incident INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (incident, seq)
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE delivery (
        id INTEGER PRIMARY KEY,
        incident_id TEXT NOT NULL,
        destination TEXT NOT NULL,
        generation INTEGER NOT NULL,
        delivery_state TEXT NOT NULL
          CHECK (delivery_state IN ('idle', 'due', 'inflight', 'unknown', 'parked', 'dead')),
        desired_version INTEGER NOT NULL,
        applied_version INTEGER NOT NULL DEFAULT 0,
        applied_seq INTEGER NOT NULL DEFAULT 0,
        remote_id TEXT,
        remote_url TEXT,
        attempts INTEGER NOT NULL DEFAULT 0,
        due_ms INTEGER,
        sent_ms INTEGER,
        sent_version INTEGER,
        sent_seq INTEGER,
        priority TEXT NOT NULL,
        lease_token TEXT,
        lease_until_ms INTEGER,
        last_error TEXT,
        -- Set while the row is due because its last attempt was put off: no wish makes it come earlier.
        not_before_ms INTEGER,
        -- When the wishes that came during an attempt want the next one.
        wish_due_ms INTEGER,
        UNIQUE (incident_id, destination, generation),
        CHECK ((lease_token IS NULL) = (lease_until_ms IS NULL)),
        CHECK (delivery_state NOT IN ('due', 'unknown') OR due_ms IS NOT NULL),
        CHECK (delivery_state <> 'inflight' OR (lease_token IS NOT NULL AND sent_ms IS NOT NULL))
      ) STRICT;
      -- Of an incident at a destination at most one generation is alive.
      CREATE UNIQUE INDEX delivery_alive ON delivery (incident_id, destination)
        WHERE delivery_state IN ('due', 'inflight', 'unknown');
      CREATE INDEX delivery_waiting ON delivery (destination, priority, due_ms, id)
        WHERE delivery_state IN ('due', 'unknown');
      CREATE INDEX delivery_leased ON delivery (destination, lease_until_ms) WHERE lease_token IS NOT NULL;
      CREATE INDEX delivery_by_state ON delivery (delivery_state, id, destination);

      CREATE TABLE dead_letter (
        id TEXT PRIMARY KEY,
        received_ms INTEGER NOT NULL,
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        note TEXT NOT NULL
      ) STRICT;
      CREATE INDEX dead_letter_by_received ON dead_letter (received_ms, id);
      CREATE INDEX dead_letter_by_state ON dead_letter (state, received_ms, id);

      CREATE TABLE rule_set (
        digest TEXT PRIMARY KEY,
        text TEXT NOT NULL,
        stored_ms INTEGER NOT NULL
      ) STRICT;
      CREATE TABLE activation (
        generation INTEGER PRIMARY KEY,
        digest TEXT NOT NULL
      ) STRICT;
      CREATE TABLE fact (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE token (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        scopes TEXT NOT NULL,
        hash TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        revoked_ms INTEGER
      ) STRICT;
    `,
  },
];
