import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startTool, type Tool, toolEnvironment } from "@winnow/devservers";

export const PROMETHEUS_PACKAGE = "prometheus";

export interface PrometheusOptions {
  readonly rootDir: string;
  /** A folder of its own for this run. */
  readonly workDir: string;
  /** The base that Prometheus adds `/api/v2/alerts` to, such as `http://127.0.0.1:8080/compat/alertmanager/prod`. */
  readonly alertmanagerUrl: string;
  readonly bearer?: string;
  /** The text of a Prometheus rule file. */
  readonly rules: string;
  /** Default: 1s. */
  readonly evaluationInterval?: string;
  /** How soon a firing alert is sent again; Prometheus' own default is 1m, here 2s. */
  readonly resendDelay?: string;
  readonly externalLabels?: Readonly<Record<string, string>>;
}

export interface Prometheus {
  readonly url: string;
  readonly tool: Tool;
  /** Puts other rules in force. An alert whose rule keeps its name and labels keeps its state. */
  reload(rules: string): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a real Prometheus that sends its alerts to one Alertmanager; resolves when it is ready. */
export async function startPrometheus(options: PrometheusOptions): Promise<Prometheus> {
  const { rootDir, workDir } = options;
  await mkdir(workDir, { recursive: true });
  const rulesFile = join(workDir, "rules.yml");
  const configFile = join(workDir, "prometheus.yml");
  await writeFile(rulesFile, options.rules);
  // JSON is YAML, too, and needs no quoting of our own.
  await writeFile(configFile, JSON.stringify(configuration(options, rulesFile), null, 2));
  const tool = startTool({
    command: join(rootDir, "usr/bin/prometheus"),
    args: [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${join(workDir, "data")}`,
      "--web.listen-address=127.0.0.1:0",
      "--web.external-url=http://prometheus.example:9090/",
      "--web.enable-lifecycle",
      `--rules.alert.resend-delay=${options.resendDelay ?? "2s"}`,
    ],
    cwd: workDir,
    env: await toolEnvironment(rootDir, workDir),
  });
  try {
    const [, address] = await tool.line(/msg="Listening on" address=(\S+)/);
    await tool.line(/Server is ready to receive web requests/);
    const url = `http://${address}`;
    return {
      url,
      tool,
      stop: () => tool.stop(),
      reload: async (rules) => {
        await writeFile(`${rulesFile}.new`, rules);
        await rename(`${rulesFile}.new`, rulesFile);
        const response = await fetch(`${url}/-/reload`, { method: "POST" });
        if (!response.ok) {
          throw new Error(`Prometheus refused the rules: ${await response.text()}`);
        }
      },
    };
  } catch (error) {
    await tool.stop();
    throw error;
  }
}

function configuration(options: PrometheusOptions, rulesFile: string): object {
  const { protocol, host, pathname } = new URL(options.alertmanagerUrl);
  return {
    global: {
      evaluation_interval: options.evaluationInterval ?? "1s",
      ...(options.externalLabels === undefined ? {} : { external_labels: options.externalLabels }),
    },
    rule_files: [rulesFile],
    alerting: {
      alertmanagers: [
        {
          scheme: protocol.replace(":", ""),
          path_prefix: pathname,
          ...(options.bearer === undefined ? {} : { authorization: { type: "Bearer", credentials: options.bearer } }),
          static_configs: [{ targets: [host] }],
        },
      ],
    },
  };
}
