import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findJava, type Java } from "./java.ts";
import { bringKafkaJars, kafkaVersion } from "./kafka-jars.ts";
import { kafkaSettings } from "./kafka-settings.ts";
import { makeDataFolder, runNative } from "./native-server.ts";
import { freePort } from "./ports.ts";
import { kafkaAnswers } from "./probes.ts";
import { runCommand } from "./run-command.ts";
import type { KafkaServer, Log, Running } from "./servers.ts";
import { startTool, type Tool } from "./tool-process.ts";
import { untilAnswers } from "./until-ready.ts";

const START_MS = 90_000;
/** Small and quick to start: a test's broker needs little. */
const JVM = ["-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true"];

/** Runs Apache Kafka from the cache folder, broker and controller in one; a text where it cannot be had. */
export async function startNativeKafka(log: Log): Promise<Running<KafkaServer> | string> {
  const java = await findJava(log);
  if (typeof java === "string") {
    return java;
  }
  const jars = await bringKafkaJars(java, log);
  if (typeof jars === "string") {
    return jars;
  }
  const data = await makeDataFolder("kafka");
  try {
    const port = await freePort();
    const place: Place = {
      java,
      classPath: join(jars.libs, "*"),
      folder: data.path,
      settings: join(data.path, "server.properties"),
    };
    await format(place, { broker: port, controller: await freePort() });
    const run = await runNative(() => launch(place, port));
    return {
      server: { origin: "native", version: kafkaVersion, brokers: [`127.0.0.1:${port}`], controls: run.controls },
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

interface Place {
  readonly java: Java;
  readonly classPath: string;
  readonly folder: string;
  /** The broker's settings file. */
  readonly settings: string;
}

async function format(place: Place, ports: { readonly broker: number; readonly controller: number }): Promise<void> {
  const settings = {
    ...kafkaSettings,
    listeners: `PLAINTEXT://127.0.0.1:${ports.broker},CONTROLLER://127.0.0.1:${ports.controller}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${ports.broker}`,
    "controller.quorum.bootstrap.servers": `127.0.0.1:${ports.controller}`,
    "log.dirs": join(place.folder, "data"),
  };
  const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`);
  await writeFile(place.settings, lines.join(""));
  const tool = ["kafka.tools.StorageTool", "format", "-t", clusterId(), "-c", place.settings, "--standalone"];
  const formatted = await runCommand(place.java.command, [...JVM, "-cp", place.classPath, ...tool], {
    cwd: place.folder,
    env: environment(place),
  });
  if (formatted.code !== 0) {
    throw new Error(`Kafka's format failed with ${formatted.code}: ${formatted.stdout}${formatted.stderr}`);
  }
}

async function launch(place: Place, port: number): Promise<Tool> {
  const tool = startTool({
    command: place.java.command,
    args: [...JVM, "-Dlog4j2.level=WARN", "-cp", place.classPath, "kafka.Kafka", place.settings],
    cwd: place.folder,
    env: environment(place),
  });
  await untilAnswers(tool, () => kafkaAnswers({ host: "127.0.0.1", port }), START_MS);
  return tool;
}

/** 16 bytes in URL-safe base64. The first is not above 127, so that no id begins with a dash, like a flag. */
function clusterId(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] ?? 0) % 128;
  return bytes.toString("base64url");
}

function environment({ java, folder }: Place): Record<string, string> {
  return { HOME: folder, LANG: "C.UTF-8", TZ: "UTC", JAVA_HOME: java.home, PATH: "/usr/bin:/bin" };
}
