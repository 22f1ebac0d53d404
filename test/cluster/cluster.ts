/** A cluster of the product's three programs over real servers, known only by their flags, files and HTTP. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, runCommand } from "@winnow/devservers";
import { productEnvironment } from "../torture/product.ts";
import { type ClusterNames, serverFlags } from "./names.ts";
import { type ClusterNode, clusterNode, type Service, services } from "./node.ts";

export interface NodeCounts {
  readonly receivers: number;
  readonly correlators: number;
  readonly routers: number;
}

export interface ClusterOptions extends NodeCounts {
  /** Working directory of all, and where their data and ready files lie. */
  readonly folder: string;
  /** The configuration, which all read: a token of the whole cluster is added to a copy. */
  readonly config: string;
  readonly names: ClusterNames;
  readonly env?: Readonly<Record<string, string>>;
  /** true: no common token, each node makes one. */
  readonly ownTokens?: boolean;
}

export interface Cluster {
  readonly names: ClusterNames;
  readonly receivers: readonly ClusterNode[];
  readonly correlators: readonly ClusterNode[];
  readonly routers: readonly ClusterNode[];
  readonly nodes: readonly ClusterNode[];
  /** Good at every node, and for webhooks at every receiver; where each node has one of its own it is nobody's. */
  readonly token: string;
  /** Makes topics and tables; rejects with the command's words when it fails. */
  migrate(): Promise<void>;
  /** Starts every process; resolves when all are ready. */
  start(): Promise<void>;
  /** SIGTERM to all, those who give before those who take; rejects unless each ends with 0. */
  stop(): Promise<void>;
  /** SIGKILL to all that run. */
  kill(): Promise<void>;
  /** The last lines of every process. */
  output(): string;
}

const root = join(import.meta.dirname, "../..");
const launcher = join(root, "services/winnow/bin/winnow.mjs");

/** Lays out a cluster; nothing is started yet. Ports stay the same over restarts. */
export async function layCluster(given: ClusterOptions): Promise<Cluster> {
  const options = given.ownTokens === true ? given : withToken(given);
  const counts = { receiver: options.receivers, correlator: options.correlators, router: options.routers };
  const of: Record<Service, ClusterNode[]> = { receiver: [], correlator: [], router: [] };
  for (const service of services) {
    for (let number = 1; number <= counts[service]; number += 1) {
      of[service].push(await layNode(service, `${service}-${number}`, options));
    }
  }
  const nodes = services.flatMap((service) => of[service]);
  return {
    names: options.names,
    receivers: of.receiver,
    correlators: of.correlator,
    routers: of.router,
    nodes,
    token: options.names.token,
    migrate: () => migrate(options),
    start: async () => {
      await Promise.all(nodes.map((node) => node.start()));
    },
    stop: async () => {
      for (const service of services) await Promise.all(of[service].map(stopInOrder));
    },
    kill: async () => {
      await Promise.all(nodes.map((node) => node.kill()));
    },
    output: () => nodes.map((node) => `== ${node.name}\n${withoutHints(node.output())}`).join("\n"),
  };
}

/** Without what it prints for people to paste, which is indented. */
function withoutHints(output: string): string {
  return output
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("  "))
    .join("\n");
}

function withToken(options: ClusterOptions): ClusterOptions {
  const config = join(options.folder, "cluster.yaml");
  writeFileSync(config, `${readFileSync(options.config, "utf8")}\ntoken: { env: CLUSTER_TOKEN }\n`);
  return { ...options, config, env: { ...options.env, CLUSTER_TOKEN: options.names.token } };
}

async function layNode(service: Service, name: string, options: ClusterOptions): Promise<ClusterNode> {
  const dataDir = join(options.folder, name);
  mkdirSync(dataDir, { recursive: true });
  return clusterNode(service, name, {
    config: options.config,
    dataDir,
    readyFile: join(options.folder, `${name}.json`),
    port: await freePort(),
    cacheDir: options.folder,
    program: [join(root, "services", service)],
    flags: serverFlags(options.names),
    ...(options.env === undefined ? {} : { env: options.env }),
  });
}

async function stopInOrder(node: ClusterNode): Promise<void> {
  const code = await node.stop();
  if (code !== 0 && code !== null) throw new Error(`${node.name} ended with ${code}:\n${node.output()}`);
}

async function migrate({ folder, config, names, env }: ClusterOptions): Promise<void> {
  const { code, stdout, stderr } = await runCommand(
    process.execPath,
    [launcher, "migrate", "--config", config, ...serverFlags(names)],
    { cwd: folder, env: { ...productEnvironment(folder), ...env } },
  );
  if (code !== 0) throw new Error(`winnow migrate ended with ${code}:\n${stdout}${stderr}`);
}
