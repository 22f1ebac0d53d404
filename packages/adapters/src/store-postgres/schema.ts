import type { Migration } from "./engine/migrate.ts";
import { reportingViews } from "./schema-reporting.ts";

/**
 * Columns stand for what is filtered, sorted, joined or reported; the whole of a row is JSON text beside them, which
 * keeps it exact (jsonb refuses \\u0000 and orders keys anew). Times are epoch ms.
 * `incident` in other tables is the integer id of the row in `incident`. Texts that are sorted or looked up are compared
 * by their bytes.
 */
const FIRST_TABLES = `
  -- The store's clock, epoch ms: leases and sent_ms are written and judged by it. Tests put their own in its place.
  CREATE FUNCTION now_ms() RETURNS bigint LANGUAGE sql VOLATILE PARALLEL SAFE
    AS $$ SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;

  CREATE TABLE setting (
    name text PRIMARY KEY,
    value text NOT NULL
  );

  -- Stage C's owner and last commit, per partition.
  CREATE TABLE recorder (
    partition integer PRIMARY KEY,
    token text NOT NULL,
    position bigint NOT NULL,
    meta text
  ) WITH (fillfactor = 50);

  CREATE TABLE incident (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id text COLLATE "C" NOT NULL UNIQUE,
    tenant text NOT NULL,
    number bigint NOT NULL,
    version bigint NOT NULL,
    state text NOT NULL,
    priority text NOT NULL,
    severity text NOT NULL,
    impact text NOT NULL,
    urgency text NOT NULL,
    released boolean NOT NULL,
    self_healed boolean NOT NULL,
    title text NOT NULL,
    category text,
    service text,
    environment text,
    assignment_group text,
    contact text,
    rule_id text NOT NULL,
    opened_ms bigint NOT NULL,
    last_event_ms bigint NOT NULL,
    acknowledged_ms bigint,
    resolved_ms bigint,
    member_count bigint NOT NULL,
    open_member_count bigint NOT NULL,
    event_count bigint NOT NULL,
    previous_id text,
    timeline_seq bigint NOT NULL,
    -- Lower case: title, service, group key and number, a line each.
    search text NOT NULL,
    destinations text NOT NULL,
    action_ids text NOT NULL,
    snapshot text NOT NULL
  ) WITH (fillfactor = 80);
  CREATE INDEX incident_by_opened ON incident (opened_ms, incident_id);
  CREATE INDEX incident_by_state ON incident (state, opened_ms, incident_id);
  CREATE INDEX incident_resolved ON incident (resolved_ms) WHERE state = 'resolved';

  CREATE TABLE member (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident bigint NOT NULL,
    fingerprint text COLLATE "C" NOT NULL,
    episode_id text COLLATE "C" NOT NULL,
    joined_ms bigint NOT NULL,
    body text NOT NULL,
    UNIQUE (incident, fingerprint, episode_id)
  ) WITH (fillfactor = 90);
  CREATE INDEX member_by_joined ON member (incident, joined_ms, id);
  CREATE INDEX member_by_fingerprint ON member (fingerprint);

  CREATE TABLE timeline (
    incident bigint NOT NULL,
    seq bigint NOT NULL,
    kind text NOT NULL,
    at_ms bigint NOT NULL,
    actor text NOT NULL,
    note text,
    fingerprint text,
    reason_code text NOT NULL,
    reason_text text NOT NULL,
    rule_id text,
    body text NOT NULL,
    PRIMARY KEY (incident, seq)
  );

  CREATE TABLE delivery (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id text COLLATE "C" NOT NULL,
    destination text COLLATE "C" NOT NULL,
    generation bigint NOT NULL,
    delivery_state text COLLATE "C" NOT NULL
      CHECK (delivery_state IN ('idle', 'due', 'inflight', 'unknown', 'parked', 'dead')),
    desired_version bigint NOT NULL,
    applied_version bigint NOT NULL DEFAULT 0,
    applied_seq bigint NOT NULL DEFAULT 0,
    remote_id text,
    remote_url text,
    attempts bigint NOT NULL DEFAULT 0,
    due_ms bigint,
    sent_ms bigint,
    sent_version bigint,
    sent_seq bigint,
    priority text COLLATE "C" NOT NULL,
    lease_token text,
    lease_until_ms bigint,
    error_code text,
    error_message text,
    -- Set while the row is due because its last attempt was put off: no wish makes it come earlier.
    not_before_ms bigint,
    -- When the wishes that came during an attempt want the next one.
    wish_due_ms bigint,
    UNIQUE (incident_id, destination, generation),
    CHECK ((lease_token IS NULL) = (lease_until_ms IS NULL)),
    CHECK ((error_code IS NULL) = (error_message IS NULL)),
    CHECK (delivery_state NOT IN ('due', 'unknown') OR due_ms IS NOT NULL),
    CHECK (delivery_state <> 'inflight' OR (lease_token IS NOT NULL AND sent_ms IS NOT NULL))
  ) WITH (fillfactor = 80);
  -- Of an incident at a destination at most one generation is alive.
  CREATE UNIQUE INDEX delivery_alive ON delivery (incident_id, destination)
    WHERE delivery_state IN ('due', 'inflight', 'unknown');
  CREATE INDEX delivery_waiting ON delivery (destination, priority, due_ms, id)
    WHERE delivery_state IN ('due', 'unknown');
  CREATE INDEX delivery_leased ON delivery (destination, lease_until_ms) WHERE lease_token IS NOT NULL;
  CREATE INDEX delivery_by_state ON delivery (delivery_state, id, destination);

  CREATE TABLE dead_letter (
    id text COLLATE "C" PRIMARY KEY,
    received_ms bigint NOT NULL,
    state text NOT NULL,
    attempts bigint NOT NULL,
    note text NOT NULL
  );
  CREATE INDEX dead_letter_by_received ON dead_letter (received_ms, id);
  CREATE INDEX dead_letter_by_state ON dead_letter (state, received_ms, id);

  CREATE TABLE rule_set (
    digest text COLLATE "C" PRIMARY KEY,
    text text NOT NULL,
    stored_ms bigint NOT NULL
  );
  CREATE TABLE activation (
    generation bigint PRIMARY KEY,
    digest text NOT NULL
  );
  CREATE TABLE fact (
    name text COLLATE "C" PRIMARY KEY,
    value text NOT NULL
  );
  CREATE TABLE token (
    id text COLLATE "C" PRIMARY KEY,
    name text NOT NULL,
    scopes text NOT NULL,
    hash text NOT NULL,
    created_ms bigint NOT NULL,
    revoked_ms bigint
  );

  -- A stage's states as of a commit of its own, behind the window store; saves counts what was saved over it.
  CREATE TABLE checkpoint (
    stage text COLLATE "C" NOT NULL CHECK (stage IN ('A', 'B', 'C')),
    partition integer NOT NULL,
    position bigint NOT NULL,
    saves bigint NOT NULL,
    meta text NOT NULL,
    PRIMARY KEY (stage, partition)
  );
  CREATE TABLE checkpoint_state (
    stage text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    key text COLLATE "C" NOT NULL,
    value text NOT NULL,
    deadline_ms bigint,
    changed_at bigint NOT NULL,
    PRIMARY KEY (stage, partition, key)
  ) WITH (fillfactor = 80);
`;

/** Append-only: a released step never changes. */
export const migrations: readonly Migration[] = [
  {
    version: 1,
    name: "incidents-deliveries-rule-sets-checkpoints-reporting",
    kind: "breaking",
    sql: ({ reportingSchema }) => `${FIRST_TABLES}${reportingViews(reportingSchema)}`,
  },
];
