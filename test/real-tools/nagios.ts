import { constants } from "node:fs";
import { mkdir, mkdtemp, open, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { runCommand, startTool, type Tool, toolEnvironment } from "@winnow/devservers";
import { type NagiosHost, nagiosMainFile, nagiosObjects, nagiosStateFile } from "./nagios-objects.ts";
import { documentedObjects, documentedResources } from "./nagios-readme.ts";

const EXIT_CODES = { UP: 0, OK: 0, WARNING: 1, CRITICAL: 2, UNKNOWN: 3, DOWN: 2 } as const;
type NagiosState = keyof typeof EXIT_CODES;

export interface NagiosOptions {
  readonly rootDir: string;
  /** A folder of its own for this run. */
  readonly workDir: string;
  /** All start as OK and UP. */
  readonly hosts: readonly NagiosHost[];
  /** Where notifications go. The commands and the contact are those of Winnow's page for Nagios. */
  readonly url: string;
  readonly token: string;
  /** Default: 1, so that the first bad check is a hard state. */
  readonly maxCheckAttempts?: number;
  /** Default: 3600. */
  readonly notificationIntervalSeconds?: number;
  /** Default: false. */
  readonly flapDetection?: boolean;
}

interface NagiosStateChange {
  readonly host: string;
  /** Absent: the host itself. */
  readonly service?: string;
  readonly state: NagiosState;
  /** What the check prints: first line, long output, `|` performance data. */
  readonly output: string;
}

export interface Nagios {
  readonly tool: Tool;
  /** What the next check finds, within a second. */
  setState(change: NagiosStateChange): Promise<void>;
  /** Gives an external command, such as `ACKNOWLEDGE_SVC_PROBLEM;db-1;Disk;1;1;1;jdoe;on it`. */
  command(line: string): Promise<void>;
  stop(): Promise<void>;
}

const CHECK_SCRIPT = '{ read -r code; cat; } <"$1"\nexit "$code"\n';

/** The packages of Nagios; its commands call curl, which comes along where the machine has none. */
export async function nagiosPackages(): Promise<readonly string[]> {
  const { code } = await runCommand("curl", ["--version"]);
  return code === 0 ? ["nagios4-core"] : ["curl", "nagios4-core"];
}

/** Starts a real Nagios whose checks read files; resolves when it takes commands. */
export async function startNagios(options: NagiosOptions): Promise<Nagios> {
  const { rootDir, workDir, hosts } = options;
  await mkdir(join(workDir, "states"), { recursive: true });
  await mkdir(join(workDir, "checkresults"), { recursive: true });
  const socketDir = await mkdtemp(join(tmpdir(), "nagios-"));
  await writeFiles(options, socketDir);
  for (const host of hosts) {
    await writeState(options, { host: host.name, state: "UP", output: "UP" });
    for (const { description } of host.services ?? []) {
      await writeState(options, { host: host.name, service: description, state: "OK", output: "OK" });
    }
  }
  const tool = startTool({
    command: join(rootDir, "usr/sbin/nagios4"),
    args: [join(workDir, "nagios.cfg")],
    cwd: workDir,
    env: await toolEnvironment(rootDir, workDir),
  });
  const stop = async (): Promise<void> => {
    await tool.stop();
    await rm(socketDir, { recursive: true, force: true });
  };
  try {
    await tool.line(/Successfully launched command file worker/);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    tool,
    setState: (change) => writeState(options, change),
    command: (line) => giveCommand(join(workDir, "nagios.cmd"), line),
    stop,
  };
}

async function writeFiles(options: NagiosOptions, socketDir: string): Promise<void> {
  const { workDir, hosts } = options;
  // root would become this user, who could then reach neither the programs nor the files: so it stays who it is.
  const { username } = userInfo();
  const group = (await runCommand("id", ["-gn"])).stdout.trim();
  const objects = nagiosObjects({
    workDir,
    hosts,
    contact: documentedObjects(),
    maxCheckAttempts: options.maxCheckAttempts ?? 1,
    notificationIntervalSeconds: options.notificationIntervalSeconds ?? 3600,
    flapDetection: options.flapDetection ?? false,
  });
  await writeFile(join(workDir, "nagios.cfg"), nagiosMainFile({ workDir, socketDir, user: username, group }));
  await writeFile(join(workDir, "objects.cfg"), objects);
  await writeFile(join(workDir, "resource.cfg"), documentedResources(options), { mode: 0o600 });
  await writeFile(join(workDir, "check.sh"), CHECK_SCRIPT);
}

async function writeState({ workDir, hosts }: NagiosOptions, change: NagiosStateChange): Promise<void> {
  const host = hosts.findIndex(({ name }) => name === change.host);
  const services = hosts[host]?.services ?? [];
  const service = services.findIndex(({ description }) => description === change.service);
  if (host < 0 || (change.service !== undefined && service < 0)) {
    throw new Error(`Nagios was started without ${change.host} ${change.service ?? ""}`);
  }
  const file = nagiosStateFile(workDir, host, change.service === undefined ? undefined : service);
  await writeFile(`${file}.new`, `${EXIT_CODES[change.state]}\n${change.output}\n`);
  await rename(`${file}.new`, file);
}

/** Never waits for a reader: opened for writing alone, a pipe without one is an error at once. */
async function giveCommand(pipe: string, line: string): Promise<void> {
  const handle = await open(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
  try {
    await handle.write(`[${Math.floor(Date.now() / 1000)}] ${line}\n`);
  } finally {
    await handle.close();
  }
}
