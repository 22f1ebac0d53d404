import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { devEnvironment } from "./environment.ts";
import { type CommandResult, runCommand } from "./run-command.ts";

/** An apt that keeps lists, caches and locks in a folder of its own; it reads the system's sources and changes nothing. */
export interface PrivateApt {
  /** Fetches the package lists if there are none; returns what went wrong, if anything. */
  ensureLists(): Promise<string | undefined>;
  /** Fetches the lists anew; returns what went wrong, if anything. */
  updateLists(): Promise<string | undefined>;
  /** Puts the packages' .deb files into `folder`; returns what went wrong, if anything. */
  download(names: readonly string[], folder: string): Promise<string | undefined>;
  /** The names of all packages that the given ones need, at any depth. */
  dependencies(names: readonly string[]): Promise<readonly string[]>;
}

/** How long one apt command may take; the lists of Debian 12 are 14 MB. */
const APT_TIMEOUT_MS = 180_000;

/** Opens (and creates) a private apt in `folder`; undefined where this machine has no apt. */
export async function openPrivateApt(folder: string, log: (line: string) => void): Promise<PrivateApt | undefined> {
  const environment = devEnvironment().all;
  const dump = await runCommand("apt-config", ["dump"]);
  if (dump.code !== 0) {
    return undefined;
  }
  const lists = join(folder, "lists");
  await Promise.all(
    [lists, join(lists, "partial"), join(folder, "archives", "partial"), join(folder, "parts")].map((path) =>
      mkdir(path, { recursive: true }),
    ),
  );
  const status = join(folder, "status");
  await writeFile(status, "");
  const config = join(folder, "apt.conf");
  await writeFile(config, privateConfig(folder, dump.stdout));
  const run = (command: string, args: readonly string[], cwd = folder): Promise<CommandResult> =>
    runCommand(command, args, {
      cwd,
      env: { ...environment, APT_CONFIG: config, LC_ALL: "C" },
      timeoutMs: APT_TIMEOUT_MS,
    });

  const updateLists = async (): Promise<string | undefined> => {
    log("fetching package lists");
    const result = await run("apt-get", ["update"]);
    // Its exit code says little: 0 without a network, 100 for one unreachable source among several.
    return (await hasLists(lists)) ? undefined : failure("apt-get update", result);
  };
  return {
    updateLists,
    ensureLists: async () => ((await hasLists(lists)) ? undefined : updateLists()),
    download: async (names, target) => {
      log(`downloading ${names.join(", ")}`);
      const result = await run("apt-get", ["download", ...names], target);
      return result.code === 0 ? undefined : failure("apt-get download", result);
    },
    dependencies: async (names) => {
      const flags = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"].map((x) => `--no-${x}`);
      const result = await run("apt-cache", ["depends", "--recurse", ...flags, ...names]);
      return result.stdout.split("\n").filter((line) => /^[a-z0-9]/.test(line));
    },
  };
}

/**
 * The private configuration: the system's ways of fetching (proxies, mirrors, certificates) and no more of it, so that
 * none of its hooks run. The status file is empty, so that nothing counts as installed.
 */
function privateConfig(folder: string, systemDump: string): string {
  const fetching = systemDump.split("\n").filter((line) => line.startsWith("Acquire"));
  const own: Readonly<Record<string, string>> = {
    "Dir::State": folder,
    "Dir::State::lists": join(folder, "lists"),
    "Dir::State::status": join(folder, "status"),
    "Dir::Cache": folder,
    "Dir::Cache::archives": join(folder, "archives"),
    "Dir::Cache::pkgcache": "",
    "Dir::Cache::srcpkgcache": "",
    "Dir::Log": folder,
    "Dir::Etc::main": "/dev/null",
    "Dir::Etc::parts": join(folder, "parts"),
    // root fetches as root: apt's own user cannot reach into a home folder.
    "APT::Sandbox::User": "root",
    "Acquire::Languages": "none",
    "Acquire::GzipIndexes": "true",
    "Acquire::Retries": "2",
    "Acquire::http::Timeout": "20",
    "Acquire::https::Timeout": "20",
    "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
  };
  const lines = Object.entries(own).map(([key, value]) => `${key} "${value}";`);
  return [...fetching, ...lines, ""].join("\n");
}

async function hasLists(folder: string): Promise<boolean> {
  return (await readdir(folder)).some((name) => /_Packages(?:\.\w+)?$/.test(name));
}

function failure(what: string, result: CommandResult): string {
  const lines = result.stderr.split("\n").filter((line) => line.trim() !== "");
  return `${what} failed with code ${result.code}: ${lines.slice(0, 2).join(" | ")}`;
}
