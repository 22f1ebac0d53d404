import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bringPackages } from "./debian-packages.ts";
import { devEnvironment } from "./environment.ts";
import { isErrno } from "./errno.ts";
import { withFolderLock } from "./folder-lock.ts";
import { type Java, javaEnvironment } from "./java.ts";
import { runCommand } from "./run-command.ts";
import type { Log } from "./servers.ts";

export const kafkaVersion = "4.4.0";
const LOG4J_VERSION = "2.25.5";
const PLUGIN_VERSION = "3.8.1";
const MAVEN_MS = 300_000;

/** A folder with Apache Kafka's jars, from the cache or brought now by Maven; a text where they cannot be had. */
export async function bringKafkaJars(java: Java, log: Log): Promise<{ readonly libs: string } | string> {
  const home = join(devEnvironment().cacheDir, "kafka");
  const libs = join(home, `${kafkaVersion}-libs`);
  if (await hasJars(libs)) {
    log(`using Kafka ${kafkaVersion} from ${libs}`);
    return { libs };
  }
  await mkdir(home, { recursive: true });
  return withFolderLock(join(home, ".lock"), async () => {
    const refused = (await hasJars(libs)) ? undefined : await fetchJars({ java, home, libs, log });
    return refused ?? { libs };
  });
}

interface Fetching {
  readonly java: Java;
  readonly home: string;
  readonly libs: string;
  readonly log: Log;
}

/** Returns what went wrong, if anything. */
async function fetchJars({ java, home, libs, log }: Fetching): Promise<string | undefined> {
  const maven = await findMaven(log);
  if ("unavailable" in maven) {
    return maven.unavailable;
  }
  const scratch = await mkdtemp(join(home, ".fetch-"));
  try {
    const pom = join(scratch, "pom.xml");
    await writeFile(pom, POM);
    log(`fetching Kafka ${kafkaVersion} with Maven`);
    const output = join(scratch, "libs");
    const fetched = await runCommand(
      maven.command,
      [
        "--batch-mode",
        "--quiet",
        "--strict-checksums",
        "--file",
        pom,
        `-Dmaven.repo.local=${join(home, "maven-repository")}`,
        `-DoutputDirectory=${output}`,
        "-DincludeScope=runtime",
        "dependency:copy-dependencies",
      ],
      { cwd: scratch, env: javaEnvironment(java), timeoutMs: MAVEN_MS },
    );
    if (fetched.code !== 0) {
      const lines = `${fetched.stdout}\n${fetched.stderr}`.split("\n").filter((line) => line.trim() !== "");
      return `Maven failed with code ${fetched.code}: ${lines.slice(0, 2).join(" | ")}`;
    }
    await rename(output, libs);
    return undefined;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Maven from the path, else Debian's, unpacked. */
async function findMaven(log: Log): Promise<{ readonly command: string } | { readonly unavailable: string }> {
  const installed = await runCommand("mvn", ["--version"], { env: devEnvironment().all });
  // Without Java it fails but is there.
  return installed.code === 127 ? bringMaven(log) : { command: "mvn" };
}

/** Unpacks Debian's Maven and the libraries that it is made of into the cache folder. */
export async function bringMaven(log: Log): Promise<{ readonly command: string } | { readonly unavailable: string }> {
  const brought = await bringPackages({ names: ["maven"], alongWith: /^lib.*-java$/, log });
  return "unavailable" in brought ? brought : { command: join(brought.rootDir, "usr/share/maven/bin/mvn") };
}

async function hasJars(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).includes(`kafka_2.13-${kafkaVersion}.jar`);
  } catch (error) {
    if (isErrno(error, "ENOENT")) {
      return false;
    }
    throw error;
  }
}

const POM = `<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>winnow</groupId>
  <artifactId>kafka-for-tests</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>${kafkaVersion}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>${LOG4J_VERSION}</version>
    </dependency>
  </dependencies>
  <build>
    <plugins>
      <plugin>
        <groupId>org.apache.maven.plugins</groupId>
        <artifactId>maven-dependency-plugin</artifactId>
        <version>${PLUGIN_VERSION}</version>
      </plugin>
    </plugins>
  </build>
</project>
`;
