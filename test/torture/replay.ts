import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runCommand } from "@winnow/devservers";
import { productEnvironment } from "./product.ts";

const launcher = join(dirname(fileURLToPath(import.meta.url)), "../../services/winnow/bin/winnow.mjs");

export interface Replayed {
  readonly isEqual: boolean;
  readonly records: number;
  /** The command's own words where it is not equal. */
  readonly text: string;
}

/** `winnow replay --verify` over the data directory of a stopped product. */
export async function verifyReplay(dataDir: string, cacheDir: string): Promise<Replayed> {
  const args = [launcher, "replay", "--verify", "--data", dataDir, "-o", "json"];
  const { code, stdout, stderr } = await runCommand(process.execPath, args, {
    cwd: cacheDir,
    env: productEnvironment(cacheDir),
  });
  const report = stdout === "" ? null : (JSON.parse(stdout) as { equal: boolean; partitions: { records: number }[] });
  const records = (report?.partitions ?? []).reduce((sum, one) => sum + one.records, 0);
  return { isEqual: code === 0 && report?.equal === true, records, text: `exit ${code}\n${stderr}\n${stdout}` };
}
