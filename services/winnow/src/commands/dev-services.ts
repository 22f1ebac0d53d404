import * as servers from "@winnow/devservers";
import { CommandFailed, exitCodes, usage } from "./exit-codes.ts";
import { argumentList, type Invocation, show } from "./invocation.ts";
import { type Column, table } from "./table.ts";

interface ServiceRow {
  readonly kind: servers.ServerKind;
  readonly url: string;
  readonly origin: servers.ServerOrigin;
  readonly version: string | null;
}

/** `winnow dev services up [KIND…]`: exit 1 when one of them cannot be had. */
export async function devServicesUp(invocation: Invocation): Promise<number> {
  const { terminal } = invocation;
  const given = argumentList(invocation, 0);
  const unknown = given.find((kind) => !isKind(kind));
  if (unknown !== undefined) {
    throw usage(`there is no service "${unknown}"`, `known: ${servers.serverKinds.join(", ")}`);
  }
  const kinds = given.length === 0 ? servers.serverKinds : given.filter((kind) => isKind(kind));
  const found = await servers.devServicesUp(kinds, (line) => {
    terminal.say(line);
  });
  const rows = rowsOf(found);
  await print(invocation, rows, found.unavailable);
  for (const { kind, reason } of found.unavailable) terminal.say(`no ${kind}: ${reason}`);
  if (rows.length > 0) {
    terminal.say("for npm test:");
    for (const { kind, url } of rows) terminal.say(`  export WINNOW_TEST_${kind.toUpperCase()}=${url}`);
    terminal.say("they run until: winnow dev services down");
  }
  return found.unavailable.length === 0 ? exitCodes.ok : exitCodes.failed;
}

/** `winnow dev services status`: exit 1 when nothing runs. */
export async function devServicesStatus(invocation: Invocation): Promise<number> {
  const found = await servers.devServicesStatus();
  const rows = found === undefined ? [] : rowsOf(found);
  await print(invocation, rows, found?.unavailable ?? []);
  if (rows.length === 0) {
    throw new CommandFailed(exitCodes.failed, "no services run", "start them: winnow dev services up");
  }
  return exitCodes.ok;
}

/** `winnow dev services down`: exit 0 also when nothing ran. */
export async function devServicesDown({ terminal }: Invocation): Promise<number> {
  terminal.say((await servers.devServicesDown()) ? "stopped" : "nothing ran");
  return exitCodes.ok;
}

const columns: readonly Column<ServiceRow>[] = [
  { head: "SERVICE", cell: ({ kind }) => kind },
  { head: "URL", cell: ({ url }) => url },
  { head: "FROM", cell: ({ origin }) => origin },
  { head: "VERSION", cell: ({ version }) => version ?? "" },
];

async function print(
  invocation: Invocation,
  services: readonly ServiceRow[],
  unavailable: readonly servers.UnavailableServer[],
): Promise<void> {
  const people = (wide: boolean): string =>
    services.length === 0 ? "" : table(columns, services, invocation.terminal, { wide });
  await show(invocation, { services, unavailable }, people);
}

function rowsOf(found: servers.FoundServers): readonly ServiceRow[] {
  const { kafka, redis, postgres } = found;
  const all = [
    { kind: "kafka", server: kafka, url: kafka?.brokers.join(",") },
    { kind: "redis", server: redis, url: redis?.url },
    { kind: "postgres", server: postgres, url: postgres?.url },
  ] as const;
  return all.flatMap(({ kind, server, url }) =>
    server === undefined || url === undefined ? [] : [{ kind, url, origin: server.origin, version: server.version }],
  );
}

function isKind(text: string): text is servers.ServerKind {
  return servers.serverKinds.some((kind) => kind === text);
}
