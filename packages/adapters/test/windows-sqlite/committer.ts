import { openSqliteWindowStore } from "@winnow/adapters/windows-sqlite";
import { silentLog } from "./support.ts";

/** Commits as fast as it can and prints each position once its commit is answered, until it is killed. */
const [file] = process.argv.slice(2);
if (file === undefined) throw new Error("usage: committer.ts FILE");
const store = await openSqliteWindowStore({ file, partitions: 1, log: silentLog });
const at = { stage: "A", partition: 0 } as const;
const { meta: found } = await store.claim(at, "committer");
for (let position = found?.position ?? 0; ; position += 1) {
  const value = String(position + 1);
  await store.commit(at, "committer", position, {
    meta: {
      position: position + 1,
      log_id: "l",
      clock_ms: 0,
      rule_generation: 0,
      rule_digest: "",
      engine_version: 1,
      marks: {},
      published: {},
      outcomes: {},
      seen: 0,
      passed: 0,
      settled: 0,
    },
    changes: Array.from({ length: 50 }, (_, n) => ({ key: `k${n}`, value, deadline_ms: null, changed_at: position })),
  });
  process.stdout.write(`${value}\n`);
}
