/** What one cluster takes of the servers that it shares with others: topics, keys and a database of its own. */
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import type { FoundServers } from "@winnow/devservers";
import { Redis } from "ioredis";
import { Kafka, logLevel } from "kafkajs";
import { Client } from "pg";

export interface ClusterServers {
  /** `host:port` each. */
  readonly brokers: readonly string[];
  readonly redisUrl: string;
  /** A database from which others can be made. */
  readonly postgresUrl: string;
}

export interface ClusterNames {
  readonly servers: ClusterServers;
  readonly topicPrefix: string;
  readonly redisPrefix: string;
  readonly database: string;
  /** The installation's, which all nodes share. */
  readonly token: string;
}

/** Rejects where one is missing: ask `skipWithout` before. */
export function clusterServers({ kafka, redis, postgres }: FoundServers): ClusterServers {
  if (kafka === undefined || redis === undefined || postgres === undefined) {
    throw new Error("a cluster needs Kafka, Redis and Postgres");
  }
  return { brokers: kafka.brokers, redisUrl: redis.url, postgresUrl: postgres.url };
}

/** Makes the database; topics and keys are made by whoever uses the names. */
export async function takeNames(servers: ClusterServers): Promise<ClusterNames> {
  const tag = `t${randomBytes(6).toString("hex")}`;
  const database = `winnow_${tag}`;
  await sql(servers.postgresUrl, `create database ${database}`);
  return { servers, topicPrefix: `${tag}.`, redisPrefix: tag, database, token: `wnw_${tag}` };
}

function databaseUrl({ servers, database }: ClusterNames): string {
  return urlOfDatabase(servers.postgresUrl, database);
}

function urlOfDatabase(serverUrl: string, database: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  return url.href;
}

/** An empty database of its own; `drop` removes it. */
export async function takeDatabase(serverUrl: string): Promise<{ readonly url: string; drop(): Promise<void> }> {
  const database = `winnow_t${randomBytes(6).toString("hex")}`;
  await sql(serverUrl, `create database ${database}`);
  return {
    url: urlOfDatabase(serverUrl, database),
    drop: async () => sql(serverUrl, `drop database if exists ${database} with (force)`),
  };
}

/** The flags that name the servers, for each program of a cluster and for `winnow migrate`. */
export function serverFlags(names: ClusterNames): readonly string[] {
  const { servers, topicPrefix, redisPrefix } = names;
  const redis = new URL(servers.redisUrl);
  redis.searchParams.set("prefix", redisPrefix);
  // The servers of a test are one broker.
  const log = `kafka://${servers.brokers.join(",")}?topic_prefix=${encodeURIComponent(topicPrefix)}&replication=1`;
  return ["--log", log, "--windows", redis.href, "--store", databaseUrl(names)];
}

/** Removes all that was made under the names. What is left behind by a server that is gone is no failure. */
export async function dropNames(names: ClusterNames): Promise<void> {
  const { servers, topicPrefix, redisPrefix, database } = names;
  const [broker = ""] = servers.brokers;
  if (await accepts(broker)) await dropTopics(servers.brokers, topicPrefix);
  if (await accepts(hostOf(servers.redisUrl))) await dropKeys(servers.redisUrl, redisPrefix);
  if (await accepts(hostOf(servers.postgresUrl))) {
    await sql(servers.postgresUrl, `drop database if exists ${database} with (force)`);
  }
}

async function sql(url: string, text: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

async function dropTopics(brokers: readonly string[], prefix: string): Promise<void> {
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(prefix));
    if (topics.length > 0) await admin.deleteTopics({ topics });
  } finally {
    await admin.disconnect();
  }
}

async function dropKeys(url: string, prefix: string): Promise<void> {
  const redis = new Redis(url);
  try {
    for (let cursor = ""; cursor !== "0"; ) {
      const [next, keys] = await redis.scan(cursor === "" ? "0" : cursor, "MATCH", `${prefix}*`, "COUNT", 1_000);
      if (keys.length > 0) await redis.unlink(...keys);
      cursor = next;
    }
  } finally {
    redis.disconnect();
  }
}

function hostOf(url: string): string {
  const { hostname, port } = new URL(url);
  return `${hostname}:${port}`;
}

async function accepts(address: string): Promise<boolean> {
  const { hostname, port } = new URL(`tcp://${address}`);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host: hostname, port: Number(port) });
  socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
  const isThere = await promise;
  socket.destroy();
  return isThere;
}
