/** The Alertmanager version whose API v2 this dialect speaks; clients compare it with what they need. */
const apiVersion = "0.28.0";

export interface StatusOptions {
  /** Version of Winnow. */
  readonly version: string;
  readonly startedMs: number;
  /** Names of all destinations. */
  readonly receivers: readonly string[];
}

/** `GET /api/v2/status`. Without a cluster; amtool and Grafana read `versionInfo` and `config.original`. */
export function showStatus(options: StatusOptions): object {
  return {
    cluster: { status: "disabled", name: "", peers: [] },
    config: { original: configText(options.receivers) },
    uptime: new Date(options.startedMs).toISOString(),
    versionInfo: {
      branch: "winnow",
      buildDate: "",
      buildUser: "",
      goVersion: "",
      revision: options.version,
      version: apiVersion,
    },
  };
}

const fallbackReceiver = "winnow";

/**
 * A configuration that Alertmanager's own parser accepts: the destinations as receivers. Routing is done by Winnow's
 * rules, which Alertmanager's language cannot say, so there is one route.
 */
function configText(receivers: readonly string[]): string {
  const names = receivers.length === 0 ? [fallbackReceiver] : [...new Set(receivers)];
  const lines = names.map((name) => `- name: ${JSON.stringify(name)}`);
  return [`route:`, `  receiver: ${JSON.stringify(names[0])}`, `receivers:`, ...lines, ""].join("\n");
}

/** `GET /metrics`: karma asks it which version it talks to. */
export function showBuildInfo(version: string): string {
  return [
    "# HELP alertmanager_build_info The API version that is spoken, and the program that speaks it.",
    "# TYPE alertmanager_build_info gauge",
    `alertmanager_build_info{version="${apiVersion}",branch="winnow",revision="${version}"} 1`,
    "",
  ].join("\n");
}
