/**
 * Brings programs from Debian packages into a cache folder: no package is installed, no service started, nothing of the
 * system changed, and root is not needed.
 */
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { devEnvironment } from "./environment.ts";
import { isErrno } from "./errno.ts";
import { withFolderLock } from "./folder-lock.ts";
import { openPrivateApt, type PrivateApt } from "./private-apt.ts";
import { relinkInside } from "./relink.ts";
import { runCommand } from "./run-command.ts";

export interface BringOptions {
  /** Debian package names. Libraries they need and this machine lacks come along by themselves. */
  readonly names: readonly string[];
  /** Brings, of all the packages that those need, the ones whose name matches: what no linker can ask for. */
  readonly alongWith?: RegExp;
  /** Default: $WINNOW_CACHE or ~/.cache/winnow. */
  readonly cacheDir?: string;
  readonly log?: (line: string) => void;
}

export interface BroughtPackages {
  /** The folder that stands for `/` of the unpacked packages. */
  readonly rootDir: string;
  /** Version by package name. */
  readonly versions: Readonly<Record<string, string>>;
}

export interface PackagesUnavailable {
  /** Why these packages cannot be had here, in words for a skipped test. */
  readonly unavailable: string;
}

/** Written last into an unpacked tree. */
const MANIFEST = ".packages.json";
/** Libraries may need libraries; Debian's curl takes five rounds on a machine with hardly any. */
const LIBRARY_ROUNDS_MAX = 10;
const PATH_FOLDERS = ["bin", "sbin", "usr/bin", "usr/sbin"];
/** Programs off the path whose libraries must be there, too: folders of versions, and the folder in each. */
const VERSIONED_PROGRAMS = ["usr/lib/postgresql", "usr/lib/jvm"];

/**
 * The unpacked packages, from the cache or brought now. Safe to call from several processes at once. With
 * WINNOW_USE_SYSTEM_TOOLS=1 and all packages installed, it answers `/` instead.
 */
export async function bringPackages(options: BringOptions): Promise<BroughtPackages | PackagesUnavailable> {
  const names = [...new Set(options.names)].toSorted();
  const log = options.log ?? (() => {});
  const environment = devEnvironment();
  if (environment.useSystemTools) {
    const versions = await installedVersions(names);
    if (versions !== undefined) {
      log(`using the installed ${names.join(", ")}`);
      return { rootDir: "/", versions };
    }
  }
  const home = join(options.cacheDir ?? environment.cacheDir, "debian", await releaseName());
  const rootDir = join(home, names.join("+"));
  await mkdir(home, { recursive: true });
  const cached = await readManifest(rootDir);
  if (cached !== undefined) {
    log(`using ${names.join(", ")} from ${rootDir}`);
    return cached;
  }
  return withFolderLock(join(home, ".lock"), async () => {
    const byNow = await readManifest(rootDir);
    if (byNow !== undefined) {
      return byNow;
    }
    const apt = await openPrivateApt(join(home, ".apt"), log);
    if (apt === undefined) {
      return { unavailable: "this machine has no apt" };
    }
    const scratch = await mkdtemp(join(home, ".unpack-"));
    try {
      return await unpackInto({ names, alongWith: options.alongWith, rootDir, scratch, apt, log });
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  });
}

/**
 * The first package that `name` needs, at any depth, whose own name matches: `postgresql-15` behind `postgresql`. The
 * archive is asked, not the machine; undefined where it does not say.
 */
export async function packageBehind(
  name: string,
  pattern: RegExp,
  log: (line: string) => void,
): Promise<string | undefined> {
  const home = join(devEnvironment().cacheDir, "debian", await releaseName());
  await mkdir(home, { recursive: true });
  return withFolderLock(join(home, ".lock"), async () => {
    const apt = await openPrivateApt(join(home, ".apt"), log);
    const refused = await apt?.ensureLists();
    return refused === undefined ? (await apt?.dependencies([name]))?.find((one) => pattern.test(one)) : undefined;
  });
}

/** The environment a program from `rootDir` runs in: its own libraries and programs first, nothing else of ours. */
export async function toolEnvironment(
  rootDir: string,
  home: string,
): Promise<{ readonly [name: string]: string; readonly PATH: string }> {
  const system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  const common = { HOME: home, LANG: "C.UTF-8", TZ: "UTC" };
  if (rootDir === "/") {
    return { ...common, PATH: system };
  }
  const programs = PATH_FOLDERS.map((folder) => join(rootDir, folder)).join(":");
  const libraries = await libraryFolders(rootDir);
  return {
    ...common,
    PATH: `${programs}:${system}`,
    ...(libraries.length === 0 ? {} : { LD_LIBRARY_PATH: libraries.join(":") }),
  };
}

interface Unpacking {
  readonly names: readonly string[];
  readonly alongWith: RegExp | undefined;
  readonly rootDir: string;
  readonly scratch: string;
  readonly apt: PrivateApt;
  readonly log: (line: string) => void;
}

async function unpackInto(unpacking: Unpacking): Promise<BroughtPackages | PackagesUnavailable> {
  const { rootDir, scratch, apt, log } = unpacking;
  const tree = join(scratch, "root");
  await mkdir(tree);
  const versions: Record<string, string> = {};
  const refused = (await apt.ensureLists()) ?? (await addPackages(unpacking, await wanted(unpacking), versions));
  if (refused !== undefined) {
    return { unavailable: refused };
  }
  const missing = await addMissingLibraries(unpacking, versions);
  if (missing.length > 0) {
    return { unavailable: `no package found for the libraries ${missing.join(", ")}` };
  }
  await relinkInside(tree);
  await writeFile(join(tree, MANIFEST), `${JSON.stringify(versions, null, 2)}\n`);
  try {
    await rename(tree, rootDir);
  } catch (error) {
    if (!isErrno(error, "ENOTEMPTY", "EEXIST")) {
      throw error;
    }
  }
  log(
    `unpacked ${Object.entries(versions)
      .map((pair) => pair.join(" "))
      .join(", ")} into ${rootDir}`,
  );
  return { rootDir, versions };
}

/** The packages asked for and those that are to come along. */
async function wanted({ names, alongWith, apt }: Unpacking): Promise<readonly string[]> {
  if (alongWith === undefined) {
    return names;
  }
  const needed = await apt.dependencies(names);
  return [...new Set([...names, ...needed.filter((name) => alongWith.test(name))])];
}

/** Downloads and unpacks packages; returns what went wrong, if anything. */
async function addPackages(
  { scratch, apt }: Unpacking,
  names: readonly string[],
  versions: Record<string, string>,
): Promise<string | undefined> {
  const folder = await mkdtemp(join(scratch, "deb-"));
  let refused = await apt.download(names, folder);
  if (refused !== undefined) {
    // Lists of another day name files that the archive has since replaced.
    refused = (await apt.updateLists()) ?? (await apt.download(names, folder));
  }
  if (refused !== undefined) {
    return refused;
  }
  for (const file of (await readdir(folder)).filter((name) => name.endsWith(".deb"))) {
    const path = join(folder, file);
    const unpacked = await runCommand("dpkg-deb", ["-x", path, join(scratch, "root")]);
    if (unpacked.code !== 0) {
      return `dpkg-deb could not unpack ${file}: ${unpacked.stderr.trim()}`;
    }
    const fields = await runCommand("dpkg-deb", ["-W", "--showformat=${Package} ${Version}", path]);
    const [name = file, version = ""] = fields.stdout.trim().split(" ");
    versions[name] = version;
  }
  return undefined;
}

/** Adds library packages until every program in the tree can be linked; returns the libraries still missing. */
async function addMissingLibraries(unpacking: Unpacking, versions: Record<string, string>): Promise<readonly string[]> {
  const tree = join(unpacking.scratch, "root");
  let missing = await missingLibraries(tree);
  for (let round = 0; missing.length > 0 && round < LIBRARY_ROUNDS_MAX; round += 1) {
    const needed = await unpacking.apt.dependencies(unpacking.names);
    const candidates = needed.filter((name) => isLibraryPackage(name) && versions[name] === undefined);
    const exact = candidates.filter((name) => missing.some((library) => isPackageOf(name, library)));
    const chosen =
      exact.length > 0 ? exact : candidates.filter((name) => missing.some((library) => isFamilyOf(name, library)));
    if (chosen.length === 0 || (await addPackages(unpacking, chosen, versions)) !== undefined) {
      break;
    }
    missing = await missingLibraries(tree);
  }
  return missing;
}

async function missingLibraries(tree: string): Promise<readonly string[]> {
  const env = { ...devEnvironment().all, ...(await toolEnvironment(tree, tree)) };
  const programs = await Promise.all(
    (await programFolders(tree)).map(async (folder) =>
      (await namesIn(join(tree, folder))).map((name) => join(tree, folder, name)),
    ),
  );
  const found = new Set<string>();
  for (const program of programs.flat()) {
    const { stdout } = await runCommand("ldd", [program], { env });
    for (const [, library] of stdout.matchAll(/^\s*(\S+) => not found$/gm)) {
      found.add(library ?? "");
    }
  }
  return [...found].toSorted();
}

async function programFolders(tree: string): Promise<readonly string[]> {
  const versioned = await Promise.all(
    VERSIONED_PROGRAMS.map(async (parent) =>
      (await namesIn(join(tree, parent))).map((version) => join(parent, version, "bin")),
    ),
  );
  return [...PATH_FOLDERS, ...versioned.flat()];
}

/** Never the C library: a second one beside the machine's own loader crashes. */
function isLibraryPackage(name: string): boolean {
  return name.startsWith("lib") && !/^libc6\b|^libc-bin$|^libgcc-s1$/.test(name);
}

/** Debian names a library's package after its soname: libnghttp2.so.14 is in libnghttp2-14 (or …t64 later on). */
function isPackageOf(name: string, library: string): boolean {
  return plain(name.replace(/t64$/, "")) === plain(library.replace(".so.", "-"));
}

/** Some packages hold several libraries under their common name: libbrotlidec.so.1 is in libbrotli1. */
function isFamilyOf(name: string, library: string): boolean {
  const family = plain(name.replace(/t64$/, "").replace(/[-.\d]+$/, ""));
  return family.length > "lib".length + 2 && plain(library).startsWith(family);
}

function plain(text: string): string {
  return text.toLowerCase().replaceAll(/[^a-z0-9+]/g, "");
}

async function libraryFolders(rootDir: string): Promise<readonly string[]> {
  const folders = await Promise.all(
    ["lib", "usr/lib"].map(async (parent) =>
      (await namesIn(join(rootDir, parent)))
        .filter((name) => name.includes("-linux-"))
        .map((name) => join(rootDir, parent, name)),
    ),
  );
  return folders.flat();
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) {
      return [];
    }
    throw error;
  }
}

async function readManifest(rootDir: string): Promise<BroughtPackages | undefined> {
  try {
    const text = await readFile(join(rootDir, MANIFEST), "utf8");
    return { rootDir, versions: JSON.parse(text) as Record<string, string> };
  } catch (error) {
    if (isErrno(error, "ENOENT")) {
      return undefined;
    }
    throw error;
  }
}

async function installedVersions(names: readonly string[]): Promise<Record<string, string> | undefined> {
  const format = "--showformat=${db:Status-Abbrev}|${Package}|${Version}\n";
  const { code, stdout } = await runCommand("dpkg-query", ["-W", format, ...names]);
  const rows = stdout.split("\n").filter((line) => line.startsWith("ii"));
  if (code !== 0 || rows.length < names.length) {
    return undefined;
  }
  return Object.fromEntries(rows.map((row) => row.split("|").slice(1, 3) as [string, string]));
}

/** What tells apart trees that do not fit each other, such as `debian-12-x64`. */
async function releaseName(): Promise<string> {
  let text = "";
  try {
    text = await readFile("/etc/os-release", "utf8");
  } catch (error) {
    if (!isErrno(error, "ENOENT")) {
      throw error;
    }
  }
  const value = (key: string): string => new RegExp(`^${key}="?([^"\n]*)"?$`, "m").exec(text)?.[1] ?? "unknown";
  return `${value("ID")}-${value("VERSION_ID")}-${process.arch}`;
}
