import { rmSync } from "node:fs";
import { join } from "node:path";
import { eventLogContract } from "@winnow/testkit";
import t from "tap";
import { openSegmentLog } from "../../src/log-segment/index.ts";
import { directory, HandClock, keepAll, Lines } from "./support.ts";

const variants = [
  { name: "segment log", settings: {} },
  { name: "segment log that reads its files", settings: { cacheBytesMax: 0, segmentBytes: 4096 } },
];

for (const { name, settings } of variants) {
  await t.test(name, async (t) => {
    const root = directory(t);
    await eventLogContract(t, {
      name,
      open: (place, retention) =>
        openSegmentLog({
          dir: join(root, place),
          retention: retention === "keep" ? keepAll : { maxAgeMs: 0, maxBytes: 0 },
          clock: new HandClock(),
          log: new Lines(),
          freeSpaceFloorBytes: 0,
          ...settings,
        }),
      remove: async (place) => rmSync(join(root, place), { recursive: true }),
    });
  });
}
