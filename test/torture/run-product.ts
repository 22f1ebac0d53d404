/** The product without fsync: `winnow up` has no such switch, since nobody should have it. */
import { renameSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { startProcess } from "@winnow/winnow";

const { values } = parseArgs({
  options: {
    config: { type: "string" },
    data: { type: "string" },
    listen: { type: "string" },
    "ready-file": { type: "string" },
  },
});
const { config, data, listen, "ready-file": readyFile } = values;
if (config === undefined || data === undefined || listen === undefined || readyFile === undefined) {
  throw new Error("give --config, --data, --listen and --ready-file");
}
const running = await startProcess({
  file: config,
  cwd: process.cwd(),
  env: process.env,
  data,
  listen,
  version: "0.0.0",
  print: () => undefined,
  fsync: false,
});
const ready = { url: running.url, token: running.token, data_dir: running.dataDir, pid: process.pid };
writeFileSync(`${readyFile}.tmp`, JSON.stringify(ready));
renameSync(`${readyFile}.tmp`, readyFile);
process.once("SIGTERM", () => void running.stop());
