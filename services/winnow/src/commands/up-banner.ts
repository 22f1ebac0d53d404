import type { InboundCredential, IntegrationConfig } from "@winnow/platform";
import { type Role, roles } from "../assembly/roles.ts";
import type { Ready } from "./ready-file.ts";
import type { Terminal } from "./terminal.ts";

export interface BannerFacts extends Ready {
  /** What this process does. */
  readonly roles: readonly Role[];
  /** Where Alertmanager's API has a listener of its own; null without one. */
  readonly alertmanagerUrl: string | null;
  readonly integrations: readonly IntegrationConfig[];
  readonly guarantees: readonly { readonly destination: string; readonly mode: string; readonly guarantee: string }[];
  /** How the `winnow` command is called here. */
  readonly command: string;
  /** What the demo does; null without one. */
  readonly demo: string | null;
}

/** What a person needs once Winnow is ready: where it is, the token, and something to paste for the first alert. */
export function banner(facts: BannerFacts, { paint }: Pick<Terminal, "paint">): string {
  const { url, token, data_dir } = facts;
  const title = (text: string): string => paint("bold", text);
  const modes = facts.guarantees.map(({ destination, mode, guarantee }) => `${destination} (${mode}): ${guarantee}`);
  const head = [
    title(`Winnow ${facts.version}${nodeOf(facts)} is ready`),
    "",
    `  URL    ${paint("cyan", url)}`,
    `  token  ${paint("cyan", token)}`,
    `  data   ${data_dir}`,
    ...(facts.alertmanagerUrl === null
      ? []
      : [`  also   ${paint("cyan", facts.alertmanagerUrl)} (Alertmanager's API)`]),
    ...modes.map((text, index) => `  ${index === 0 ? "to     " : "       "}${text}`),
    ...(facts.demo === null ? [] : [`  demo   ${facts.demo}`]),
  ];
  const next = [
    title("In another terminal:"),
    "",
    `  export WINNOW_URL=${url} WINNOW_TOKEN=${token}`,
    ...(facts.roles.includes("receiver") ? [`  ${facts.command} send alertmanager`] : []),
    `  ${facts.command} get incidents`,
  ];
  const blocks = [
    head,
    next,
    ...snippets(facts).map(({ heading, lines }) => [title(heading), "", ...lines.map(indent)]),
  ];
  return `${blocks.map((lines) => lines.join("\n")).join("\n\n")}\n\n`;
}

function nodeOf({ roles: held }: BannerFacts): string {
  return held.length === roles.length ? "" : ` (${held.join(", ")})`;
}

function indent(line: string): string {
  return `  ${line}`;
}

interface Snippet {
  readonly heading: string;
  readonly lines: readonly string[];
}

/** Ways to send a first alert, to integrations that this configuration has. */
function snippets(facts: BannerFacts): readonly Snippet[] {
  const find = (type: string): Door | null => {
    const integration = facts.integrations.find((one) => one.type === type);
    return integration === undefined ? null : doorOf(integration, facts);
  };
  const alertmanager = find("alertmanager");
  const nagios = find("nagios");
  return [
    ...(alertmanager === null ? [] : alertmanagerSnippets(alertmanager, facts.url)),
    ...(nagios === null ? [] : [nagiosSnippet(nagios)]),
  ];
}

/** Where an integration takes alerts, and how curl and others show its token. */
interface Door {
  readonly name: string;
  readonly url: string;
  /** As shell words. */
  readonly curlAuth: string;
  /** The secret as a shell would find it. */
  readonly secret: string;
  /** Whether tools that send bearer tokens get in; null = they do not. */
  readonly bearer: string | null;
}

function doorOf(integration: IntegrationConfig, { url, token }: Ready): Door {
  const name = encodeURIComponent(integration.name);
  const inbound = `${url}/v1/in/${name}`;
  const [credential] = integration.credentials ?? [];
  if (credential === undefined) {
    const curlAuth = `-H "Authorization: Bearer ${token}"`;
    return { name, url: inbound, curlAuth, secret: token, bearer: token };
  }
  return { name, ...doorWith(credential, inbound) };
}

function doorWith(credential: InboundCredential, url: string): Omit<Door, "name"> {
  const { origin } = credential.secret;
  const secret = "env" in origin ? `$${origin.env}` : `$(cat ${origin.file})`;
  switch (credential.kinds[0]) {
    case "header":
      return { url, secret, bearer: null, curlAuth: `-H "${credential.header ?? "X-Winnow-Token"}: ${secret}"` };
    case "basic":
      return { url, secret, bearer: null, curlAuth: `-u "${credential.username ?? "winnow"}:${secret}"` };
    case "query":
      return { url: `${url}?token=${secret}`, secret, bearer: null, curlAuth: "" };
    case "path":
      return { url: `${url}/${secret}`, secret, bearer: null, curlAuth: "" };
    default:
      return { url, secret, bearer: secret, curlAuth: `-H "Authorization: Bearer ${secret}"` };
  }
}

const firstAlert =
  '{"version":"4","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"HighLatency",' +
  '"service":"checkout","severity":"critical"},"annotations":{"summary":"p99 above 2 s"}}]}';

function alertmanagerSnippets(door: Door, url: string): readonly Snippet[] {
  const first = {
    heading: "Send a first alert, as Alertmanager does:",
    lines: curl(door, ['-H "Content-Type: application/json"', `-d '${firstAlert}'`]),
  };
  const { bearer } = door;
  if (bearer === null) return [first];
  const { host, protocol } = new URL(url);
  const apiPath = `/compat/alertmanager/${door.name}`;
  return [
    first,
    {
      heading: "Let Alertmanager send (alertmanager.yml):",
      lines: [
        "receivers:",
        "  - name: winnow",
        "    webhook_configs:",
        `      - url: ${door.url}`,
        "        send_resolved: true",
        `        http_config: { authorization: { credentials: "${bearer}" } }`,
      ],
    },
    {
      heading: "Or Prometheus itself (prometheus.yml):",
      lines: [
        "alerting:",
        "  alertmanagers:",
        `    - scheme: ${protocol.slice(0, -1)}`,
        `      path_prefix: ${apiPath}`,
        `      authorization: { credentials: "${bearer}" }`,
        `      static_configs: [{ targets: ["${host}"] }]`,
      ],
    },
    {
      heading: "Or amtool:",
      lines: [
        `amtool alert add --alertmanager.url="${protocol}//winnow:${bearer}@${host}${apiPath}" HighLatency service=checkout severity=critical`,
      ],
    },
  ];
}

function nagiosSnippet(door: Door): Snippet {
  const fields = {
    notification_type: "PROBLEM",
    host: "db-01",
    service: "Disk /var",
    state: "CRITICAL",
    output: "DISK CRITICAL - 2% free on /var",
  };
  const data = Object.entries(fields).map(([name, value]) => `--data-urlencode "${name}=${value}"`);
  return { heading: "As a notification command of Nagios does:", lines: curl(door, data) };
}

/** One command over several lines. */
function curl({ url, curlAuth }: Door, rest: readonly string[]): readonly string[] {
  const words = [`curl -sS "${url}"`, ...(curlAuth === "" ? [] : [curlAuth]), ...rest];
  return words.map((word, index) => `${index === 0 ? "" : "  "}${word}${index === words.length - 1 ? "" : " \\"}`);
}
