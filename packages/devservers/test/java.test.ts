import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { testFolder } from "@winnow/testkit/folder";
import t from "tap";
import { bringJava, javaEnvironment } from "../src/java.ts";
import { trustStore } from "../src/java-trust-store.ts";
import { bringMaven } from "../src/kafka-jars.ts";
import { runCommand } from "../src/run-command.ts";

// The first run downloads 60 MB; a run on its own has no setting but this one.
t.setTimeout(240_000);

// Machines with a Java and a Maven of their own would never try these ways.
const log = (line: string): void => {
  t.comment(line);
};
const java = await bringJava(log);
const maven = typeof java === "string" ? { unavailable: java } : await bringMaven(log);
const skip = "unavailable" in maven ? maven.unavailable : false;

await t.test("Maven runs out of its Debian packages on the Java out of its own", { skip }, async (t) => {
  if (typeof java === "string" || "unavailable" in maven) return;
  const { code, stdout } = await runCommand(maven.command, ["--version"], { env: javaEnvironment(java) });
  t.equal(code, 0);
  t.match(stdout, /Apache Maven 3/);
  t.match(stdout, `runtime: ${java.home}`);
});

await t.test("Java reads the trust store that we write, with every authority in it", { skip }, async (t) => {
  if (typeof java === "string") return;
  const file = join(testFolder(t), "cacerts");
  await writeFile(file, trustStore(Date.UTC(2026, 0, 2)));
  const arguments_ = ["-list", "-keystore", file, "-storepass", "changeit"];
  const { code, stdout } = await runCommand(join(java.home, "bin/keytool"), arguments_);
  t.equal(code, 0, stdout.slice(0, 500));
  const count = Number(/contains (\d+) entries/.exec(stdout)?.[1]);
  t.ok(count > 50, `${count} authorities`);
  t.match(stdout, /authority-0, Jan 2, 2026, trustedCertEntry/);
});
