import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { openSqliteWindowStore } from "@winnow/adapters/windows-sqlite";
import { testFolder } from "@winnow/testkit/folder";
import t from "tap";
import { silentLog } from "./support.ts";

await t.test("a killed process leaves every answered commit, whole", async (t) => {
  const file = join(testFolder(t), "windows.db");
  for (const answers of [1, 5, 17]) {
    const last = await commitAndKill(file, answers);
    const store = await openSqliteWindowStore({ file, partitions: 1, log: silentLog });
    const at = { stage: "A", partition: 0 } as const;
    const { meta } = await store.claim(at, "heir");
    const position = meta?.position ?? 0;
    t.ok(position >= last, `position ${position}, answered ${last}`);
    const keys = Array.from({ length: 50 }, (_, n) => `k${n}`);
    const rows = await store.peek(at, keys);
    t.equal(rows.length, 50);
    t.strictSame(new Set(rows.map((row) => row.value)), new Set([String(position)]), "all states are of one commit");
    await store.close();
  }
});

/** Lets the committer run from the stored position, kills it after so many answers; the last position it printed. */
async function commitAndKill(file: string, answers: number): Promise<number> {
  const script = fileURLToPath(new URL("./committer.ts", import.meta.url));
  const child = spawn(process.execPath, [script, file], { stdio: ["ignore", "pipe", "inherit"] });
  let last = 0;
  let count = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line);
    count += 1;
    if (count === answers) child.kill("SIGKILL");
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return last;
}
