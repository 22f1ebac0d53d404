import { type Postgres, quoted, type Statements, type StoreLog } from "./engine/postgres.ts";

/** May read the views of the reporting schema and nothing else; people and tools are made members of it. */
const READING_ROLE = "winnow_reader";

/**
 * Creates the role where the user may and lets it read the views; where the user may not, the log says what an
 * administrator has to run. Roles belong to the whole server, so another database may have made it before.
 */
export async function grantReading(postgres: Postgres, reportingSchema: string, log: StoreLog): Promise<void> {
  const views = quoted(reportingSchema);
  const grants = [
    `GRANT USAGE ON SCHEMA ${views} TO ${READING_ROLE}`,
    `GRANT SELECT ON ALL TABLES IN SCHEMA ${views} TO ${READING_ROLE}`,
  ];
  const isGranted = await postgres.transaction(async (statements) => {
    if (!(await isThere(statements))) return false;
    for (const grant of grants) await statements.rows(grant);
    return true;
  });
  if (isGranted) return;
  const run = [`CREATE ROLE ${READING_ROLE} NOLOGIN`, ...grants].join("; ");
  log.info({ run }, "there is no role for reading the reports: an administrator can create it");
}

async function isThere(statements: Statements): Promise<boolean> {
  await statements.rows("SELECT pg_advisory_xact_lock(hashtextextended('winnow creates its role', 0))");
  const [known] = await statements.rows<{ exists: boolean; may: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AS exists,
       (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user) AS may`,
    [READING_ROLE],
  );
  if (known?.exists === true) return true;
  if (known?.may !== true) return false;
  // Another database may create it between the look and now.
  await statements.rows(`DO $$ BEGIN CREATE ROLE ${READING_ROLE} NOLOGIN; EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL; END $$`);
  return true;
}
