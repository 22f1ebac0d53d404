import { access, chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CommandResult, isErrno, runCommand, startTool, type Tool, toolEnvironment } from "@winnow/devservers";

/** The package holds amtool as well. */
export const ALERTMANAGER_PACKAGE = "prometheus-alertmanager";

export interface AlertmanagerOptions {
  readonly rootDir: string;
  /** A folder of its own for this run. */
  readonly workDir: string;
  readonly webhookUrl: string;
  readonly bearer?: string;
  /** Default: alertname. */
  readonly groupBy?: readonly string[];
  /** Default: 100ms. */
  readonly groupWait?: string;
  /** Default: 500ms. */
  readonly groupInterval?: string;
  /** Default: 1h. */
  readonly repeatInterval?: string;
  /** More of the one receiver, such as `{pagerduty_configs: […]}`. */
  readonly receiver?: Readonly<Record<string, unknown>>;
  /** More of its environment, such as GOMAXPROCS. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Alertmanager {
  readonly url: string;
  readonly tool: Tool;
  /** Runs amtool, against this Alertmanager unless `url` names another. */
  amtool(args: readonly string[], other?: { readonly url?: string; readonly bearer?: string }): Promise<CommandResult>;
  stop(): Promise<void>;
}

export interface AmtoolOptions {
  readonly rootDir: string;
  /** The base that amtool adds `/api/v2` to. */
  readonly url: string;
  readonly bearer?: string;
}

/** The folder that Debian compiled into Alertmanager for its templates. */
const COMPILED_FOLDER = "/usr/share/prometheus/alertmanager";

/** Starts a real Alertmanager with one webhook receiver; resolves when it is ready. */
export async function startAlertmanager(options: AlertmanagerOptions): Promise<Alertmanager> {
  const { rootDir, workDir } = options;
  await mkdir(workDir, { recursive: true });
  const configFile = join(workDir, "alertmanager.yml");
  await writeFile(configFile, JSON.stringify(configuration(options), null, 2));
  const tool = startTool({
    command: await relocatedAlertmanager(rootDir),
    args: [
      `--config.file=${configFile}`,
      `--storage.path=${join(workDir, "data")}`,
      "--cluster.listen-address=",
      "--web.listen-address=127.0.0.1:0",
      "--web.external-url=http://alertmanager.example:9093",
    ],
    cwd: join(rootDir, COMPILED_FOLDER),
    env: { ...(await toolEnvironment(rootDir, workDir)), ...options.env },
  });
  try {
    const [, address] = await tool.line(/msg="Listening on" address=(\S+)/);
    const url = `http://${address}`;
    const response = await fetch(`${url}/-/ready`);
    if (!response.ok) {
      throw new Error(`Alertmanager is not ready: ${response.status}`);
    }
    return {
      url,
      tool,
      amtool: (args, other = {}) => amtool(args, { rootDir, url, ...other }),
      stop: () => tool.stop(),
    };
  } catch (error) {
    await tool.stop();
    throw error;
  }
}

/** Runs the real amtool against any server of the Alertmanager API. */
export async function amtool(args: readonly string[], options: AmtoolOptions): Promise<CommandResult> {
  const home = await mkdtemp(join(tmpdir(), "amtool-"));
  try {
    const http = join(home, "http.yml");
    if (options.bearer !== undefined) {
      const authorization = { type: "Bearer", credentials: options.bearer };
      await writeFile(http, JSON.stringify({ authorization }), { mode: 0o600 });
    }
    return await runCommand(
      join(options.rootDir, "usr/bin/amtool"),
      [
        `--alertmanager.url=${options.url}`,
        ...(options.bearer === undefined ? [] : [`--http.config.file=${http}`]),
        ...args,
      ],
      { env: await toolEnvironment(options.rootDir, home), cwd: home, timeoutMs: 60_000 },
    );
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

function configuration(options: AlertmanagerOptions): object {
  return {
    route: {
      receiver: "winnow",
      group_by: options.groupBy ?? ["alertname"],
      group_wait: options.groupWait ?? "100ms",
      group_interval: options.groupInterval ?? "500ms",
      repeat_interval: options.repeatInterval ?? "1h",
    },
    receivers: [
      {
        name: "winnow",
        webhook_configs: [
          {
            url: options.webhookUrl,
            send_resolved: true,
            ...(options.bearer === undefined
              ? {}
              : { http_config: { authorization: { type: "Bearer", credentials: options.bearer } } }),
          },
        ],
        ...options.receiver,
      },
    ],
  };
}

/**
 * Debian's Alertmanager reads its templates from a compiled-in folder and will not start without it. A copy of the
 * program is made in which that path is a relative one of the same length, meaning the folder it is started in: so it
 * needs neither a link in the system nor a namespace, and no root. A build without the path runs as it is.
 */
async function relocatedAlertmanager(rootDir: string): Promise<string> {
  const original = join(rootDir, "usr/bin/prometheus-alertmanager");
  if (rootDir === "/") {
    return original;
  }
  const relocated = `${original}.relocated`;
  try {
    await access(relocated);
    return relocated;
  } catch (error) {
    if (!isErrno(error, "ENOENT")) {
      throw error;
    }
  }
  const program = await readFile(original);
  const here = "./".repeat(COMPILED_FOLDER.length / 2);
  for (let at = program.indexOf(COMPILED_FOLDER); at >= 0; at = program.indexOf(COMPILED_FOLDER, at)) {
    at += program.write(here, at, "latin1");
  }
  const fresh = `${relocated}.${process.pid}`;
  await writeFile(fresh, program);
  await chmod(fresh, 0o755);
  await rename(fresh, relocated);
  return relocated;
}
