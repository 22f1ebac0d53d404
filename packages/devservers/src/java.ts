import { access, realpath, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bringPackages, packageBehind } from "./debian-packages.ts";
import { devEnvironment } from "./environment.ts";
import { isErrno } from "./errno.ts";
import { trustStore } from "./java-trust-store.ts";
import { runCommand } from "./run-command.ts";
import type { Log } from "./servers.ts";

/** What Apache Kafka 4 asks for. */
const JAVA_MIN = 17;

export interface Java {
  /** The folder that JAVA_HOME names. */
  readonly home: string;
  /** The program. */
  readonly command: string;
}

/** Java from JAVA_HOME or the path where it is new enough, else Debian's, unpacked; a text where it cannot be had. */
export async function findJava(log: Log): Promise<Java | string> {
  const { javaHome } = devEnvironment();
  for (const command of [...(javaHome === null ? [] : [join(javaHome, "bin/java")]), "java"]) {
    const home = await homeOfNewEnough(command);
    if (home !== undefined) {
      return { home, command: join(home, "bin/java") };
    }
  }
  return bringJava(log);
}

/** Unpacks Debian's default Java into the cache folder. */
export async function bringJava(log: Log): Promise<Java | string> {
  const name = await packageBehind("default-jre-headless", /^openjdk-\d+-jre-headless$/, log);
  if (name === undefined) {
    return `no Java ${JAVA_MIN} or later here, and no package archive that has one`;
  }
  const brought = await bringPackages({ names: [name], log });
  if ("unavailable" in brought) {
    return brought.unavailable;
  }
  const version = /\d+/.exec(name)?.[0] ?? "";
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  const home = join(brought.rootDir, "usr/lib/jvm", `java-${version}-openjdk-${architecture}`);
  await ensureTrustStore(join(home, "lib/security/cacerts"));
  if ((await homeOfNewEnough(join(home, "bin/java"))) === undefined) {
    return `${name} does not run here, or is older than Java ${JAVA_MIN}`;
  }
  return { home, command: join(home, "bin/java") };
}

async function homeOfNewEnough(command: string): Promise<string | undefined> {
  const { code, stderr } = await runCommand(command, ["-XshowSettings:properties", "-version"]);
  const value = (key: string): string | undefined => new RegExp(`^ *${key} = (.*)$`, "m").exec(stderr)?.[1];
  const version = Number.parseInt(value("java.specification.version") ?? "0", 10);
  return code === 0 && version >= JAVA_MIN ? value("java.home") : undefined;
}

/** Debian makes the file with the trusted authorities when Java is installed; unpacked, its link leads nowhere. */
async function ensureTrustStore(path: string): Promise<void> {
  try {
    await access(await realpath(path));
  } catch (error) {
    if (!isErrno(error, "ENOENT")) {
      throw error;
    }
    await rm(path, { force: true });
    await writeFile(path, trustStore(Date.now()));
  }
}

/** The environment in which Java programs find this Java first. */
export function javaEnvironment({ home }: Java): Record<string, string> {
  const { all } = devEnvironment();
  const mine = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined);
  // A test runner's hooks are for Node alone.
  return {
    ...Object.fromEntries(mine.filter(([name]) => name !== "NODE_OPTIONS")),
    JAVA_HOME: home,
    PATH: `${join(home, "bin")}:${all["PATH"] ?? ""}`,
  };
}
