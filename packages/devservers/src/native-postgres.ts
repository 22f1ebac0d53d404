import { randomBytes } from "node:crypto";
import { chown, cp, mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type BroughtPackages, bringPackages, packageBehind, toolEnvironment } from "./debian-packages.ts";
import { makeDataFolder, runNative } from "./native-server.ts";
import { freePort } from "./ports.ts";
import { postgresAnswers } from "./probes.ts";
import { runCommand, type UserIds } from "./run-command.ts";
import type { Log, PostgresServer, Running } from "./servers.ts";
import { startTool, type Tool } from "./tool-process.ts";
import { untilAnswers } from "./until-ready.ts";

const USER = "winnow";
const START_MS = 60_000;
/** The user who owns nothing: Postgres refuses to run as root. */
const NOBODY: UserIds = { uid: 65_534, gid: 65_534 };
/** What of the packages a server needs. */
const NEEDED = ["lib", "usr/lib", "usr/share/postgresql"];

/** Runs Debian's Postgres from the cache folder; a text where it cannot be had. */
export async function startNativePostgres(log: Log): Promise<Running<PostgresServer> | string> {
  const name = await packageBehind("postgresql", /^postgresql-\d+$/, log);
  if (name === undefined) {
    return "this machine's package archive has no postgresql, or there is none";
  }
  const brought = await bringPackages({ names: [name], log });
  if ("unavailable" in brought) {
    return brought.unavailable;
  }
  const data = await makeDataFolder("postgres");
  try {
    const place = await prepare(brought, name, data.path);
    const port = await freePort();
    const run = await runNative(() => launch(place, port));
    return {
      server: {
        origin: "native",
        version: brought.versions[name] ?? null,
        url: postgresUrl(port, place.password),
        controls: run.controls,
      },
      stop: async () => {
        await run.stop();
        await data.remove();
      },
    };
  } catch (error) {
    await data.remove();
    throw error;
  }
}

export function postgresUrl(port: number, password: string): string {
  return `postgres://${USER}:${password}@127.0.0.1:${port}/postgres`;
}

interface Place {
  /** The folder of its programs. */
  readonly bin: string;
  readonly data: string;
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  readonly password: string;
  readonly user: UserIds | undefined;
}

/** Makes a database cluster in `folder`, as a user other than root. */
async function prepare(brought: BroughtPackages, name: string, folder: string): Promise<Place> {
  const user = process.getuid?.() === 0 ? NOBODY : undefined;
  const rootDir = user === undefined ? brought.rootDir : await reachable(brought.rootDir, join(folder, "programs"));
  const place: Place = {
    bin: join(rootDir, "usr/lib/postgresql", name.replace("postgresql-", ""), "bin"),
    data: join(folder, "data"),
    folder,
    env: await toolEnvironment(rootDir, folder),
    password: randomBytes(16).toString("hex"),
    user,
  };
  const passwordFile = join(folder, "password");
  await writeFile(passwordFile, place.password, { mode: 0o600 });
  await mkdir(place.data, { mode: 0o700 });
  if (user !== undefined) {
    await Promise.all([folder, passwordFile, place.data].map((path) => chown(path, user.uid, user.gid)));
  }
  const made = await runCommand(
    join(place.bin, "initdb"),
    [
      `--pgdata=${place.data}`,
      `--username=${USER}`,
      `--pwfile=${passwordFile}`,
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      "--no-locale",
      "--no-instructions",
    ],
    { cwd: folder, env: place.env, ...(user === undefined ? {} : { user }) },
  );
  if (made.code !== 0) {
    throw new Error(`initdb failed with ${made.code}: ${made.stderr.trim()}`);
  }
  return place;
}

async function launch({ bin, data, folder, env, user }: Place, port: number): Promise<Tool> {
  const settings = {
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: "",
    fsync: "on",
    synchronous_commit: "on",
    // Known to it by itself; other zones need the system's files.
    timezone: "GMT",
    log_timezone: "GMT",
  };
  const tool = startTool({
    command: join(bin, "postgres"),
    args: ["-D", data, ...Object.entries(settings).flatMap(([key, value]) => ["-c", `${key}=${value}`])],
    cwd: folder,
    env,
    // Its orderly stop that does not wait for clients to leave.
    stopSignal: "SIGINT",
    ...(user === undefined ? {} : { user }),
  });
  await untilAnswers(tool, () => postgresAnswers({ host: "127.0.0.1", port }, USER), START_MS);
  return tool;
}

/** `rootDir` if everybody may go there, else `copy` with what is needed of it: root's cache is often closed to others. */
async function reachable(rootDir: string, copy: string): Promise<string> {
  if (await isOpenToAll(rootDir)) {
    return rootDir;
  }
  const there = await readdir(rootDir, { recursive: false });
  for (const path of NEEDED.filter((one) => there.includes(one.split("/")[0] ?? ""))) {
    await cp(join(rootDir, path), join(copy, path), { recursive: true, verbatimSymlinks: true });
  }
  return copy;
}

async function isOpenToAll(folder: string): Promise<boolean> {
  const { mode } = await stat(folder);
  const isOpen = (mode & 0o005) === 0o005;
  return isOpen && (dirname(folder) === folder || (await isOpenToAll(dirname(folder))));
}
