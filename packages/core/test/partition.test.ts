import t from "tap";
import { alertPartitionKey, partitionOf } from "../src/partition.ts";

await t.test("a key keeps its partition across versions of the program", async (t) => {
  t.equal(partitionOf("", 4), 1);
  t.same(
    ["default", "tenant-b", alertPartitionKey("default", "0123456789abcdef0123456789abcdef"), "日本"].map((key) =>
      partitionOf(key, 4096),
    ),
    [2277, 2877, 4063, 344],
  );
});

await t.test("many keys spread over few partitions", async (t) => {
  for (const partitions of [2, 3, 4, 7, 16]) {
    const counts = Array.from({ length: partitions }, () => 0);
    for (let n = 0; n < 8_000; n += 1) {
      const at = partitionOf(alertPartitionKey("default", `alert-${n}`), partitions);
      counts[at] = (counts[at] ?? 0) + 1;
    }
    const fair = 8_000 / partitions;
    t.ok(
      counts.every((count) => count > fair * 0.85 && count < fair * 1.15),
      `${partitions} partitions hold ${counts.join(" ")}`,
    );
  }
});

await t.test("tenant and fingerprint are parted, so that no two pairs share a key", async (t) => {
  t.not(alertPartitionKey("a", "bc"), alertPartitionKey("ab", "c"));
});
