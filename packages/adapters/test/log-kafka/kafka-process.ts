import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { bringKafkaJars, findJava, runCommand, startTool, type Tool } from "@winnow/devservers";
import type { Test } from "tap";

/** Java and Kafka, for brokers that are set up in a way that the shared ones are not. */
export interface KafkaProgram {
  readonly java: { readonly home: string; readonly command: string };
  readonly libs: string;
}

/** A text where it cannot be had. */
export async function kafkaProgram(t: Pick<Test, "comment">): Promise<KafkaProgram | string> {
  const log = (line: string): void => {
    t.comment(line);
  };
  const java = await findJava(log);
  if (typeof java === "string") return java;
  const jars = await bringKafkaJars(java, log);
  return typeof jars === "string" ? jars : { java, libs: jars.libs };
}

export function newClusterId(): string {
  return `A${randomBytes(15).toString("base64url")}AA`.slice(0, 22);
}

export interface KafkaNode {
  readonly folder: string;
  readonly clusterId: string;
  readonly settings: Readonly<Record<string, string>>;
  /** What the format is told beside the cluster's id. */
  readonly format: readonly string[];
}

/** Formats a node's folder. Returns what starts it, again and again. */
export async function formatNode(
  { java, libs }: KafkaProgram,
  { folder, clusterId, settings, format }: KafkaNode,
): Promise<() => Promise<Tool>> {
  const file = join(folder, "server.properties");
  writeFileSync(
    file,
    Object.entries(settings)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(""),
  );
  const jvm = ["-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", join(libs, "*")];
  const env = { HOME: folder, PATH: "/usr/bin:/bin", JAVA_HOME: java.home };
  const tool = ["kafka.tools.StorageTool", "format", "-t", clusterId, "-c", file, ...format];
  const formatted = await runCommand(java.command, [...jvm, ...tool], { cwd: folder, env });
  if (formatted.code !== 0) throw new Error(`format failed: ${formatted.stdout}${formatted.stderr}`);
  return async () => {
    const node = startTool({
      command: java.command,
      args: [...jvm, "-Dlog4j2.level=INFO", "kafka.Kafka", file],
      cwd: folder,
      env,
    });
    await node.line(/Kafka Server started/);
    return node;
  };
}
