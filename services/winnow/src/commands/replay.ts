import { statSync } from "node:fs";
import { resolve } from "node:path";
import { type ReplayedPartition, verifyReplay } from "../replay/verify-replay.ts";
import { CommandFailed, exitCodes, usage } from "./exit-codes.ts";
import { type Invocation, show } from "./invocation.ts";
import { type Column, table } from "./table.ts";
import type { Terminal } from "./terminal.ts";
import { count } from "./words.ts";

export interface ReplayOptions {
  readonly verify?: boolean;
  readonly data: string;
}

/** `winnow replay --verify`: exit 1 when a rebuilt state differs, or could not be compared. */
export async function replay(invocation: Invocation<ReplayOptions>): Promise<number> {
  const { options, terminal } = invocation;
  if (options.verify !== true)
    throw usage("say what to do with the replay", "--verify compares it with what is stored");
  const dataDir = resolve(terminal.cwd, options.data);
  // Opening makes a directory that is not there; a check must not.
  if (statSync(dataDir, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new CommandFailed(exitCodes.notFound, `there is no data directory ${options.data}`);
  }
  const report = await verifyReplay(dataDir);
  const { equal, partitions } = report;
  await show(invocation, report, () => table(columns, partitions, terminal));
  terminal.say(verdict(equal, partitions, terminal));
  return equal ? exitCodes.ok : exitCodes.failed;
}

const columns: readonly Column<ReplayedPartition>[] = [
  { head: "STAGE", cell: ({ stage }) => stage },
  { head: "PARTITION", cell: ({ partition }) => String(partition), align: "right" },
  { head: "RECORDS", cell: ({ records }) => String(records), align: "right" },
  { head: "STATES", cell: ({ states }) => String(states), align: "right" },
  {
    head: "RESULT",
    cell: ({ equal, unverifiable }) => (unverifiable !== null ? "unverifiable" : equal ? "equal" : "differs"),
    style: ({ equal, unverifiable }) => (unverifiable !== null ? "yellow" : equal ? "green" : "red"),
  },
  { head: "STORED", cell: ({ stored_digest }) => stored_digest.slice(0, 12) },
  { head: "REPLAYED", cell: ({ replayed_digest }) => replayed_digest.slice(0, 12) },
  { head: "OUTPUTS OFF", cell: (row) => String(row.outputs_differing), align: "right" },
  { head: "WHY", cell: ({ unverifiable }) => unverifiable ?? "-", flexible: true },
];

function verdict(equal: boolean, partitions: readonly ReplayedPartition[], { paintTalk }: Terminal): string {
  const records = partitions.reduce((sum, one) => sum + one.records, 0);
  const again = `${count(records, "record")} decided again, with the same result`;
  if (equal) return `${paintTalk("green", "equal:")} ${again}`;
  const lacking = partitions.filter(({ unverifiable }) => unverifiable !== null);
  return partitions.every((one) => one.equal || one.unverifiable !== null)
    ? `${paintTalk("yellow", "not all verified:")} ${again}; ${count(lacking.length, "partition")} of a stage lack records`
    : `${paintTalk("red", "not equal:")} what is stored does not follow from the log`;
}
