import { randomBytes } from "node:crypto";
import { runContainer } from "./docker.ts";
import { kafkaSettings } from "./kafka-settings.ts";
import { postgresUrl } from "./native-postgres.ts";
import { flushAll, redisFlags, redisUrl } from "./native-redis.ts";
import { freePort } from "./ports.ts";
import { kafkaAnswers, postgresAnswers, redisAnswers } from "./probes.ts";
import type { KafkaServer, Log, PostgresServer, RedisServer, Running } from "./servers.ts";

/** Official images. */
const IMAGES = { kafka: "apache/kafka:4.1.1", redis: "redis:8.0.3", postgres: "postgres:17.6" } as const;
const HOST = "127.0.0.1";

export async function startDockerRedis(log: Log): Promise<Running<RedisServer>> {
  const password = randomBytes(16).toString("hex");
  const outside = await freePort();
  const container = await runContainer({
    image: IMAGES.redis,
    port: { inside: 6379, outside },
    env: {},
    command: ["redis-server", ...redisFlags(password)],
    answers: () => redisAnswers({ host: HOST, port: outside }, password),
    log,
  });
  const url = redisUrl(outside, password);
  const all = { ...container.controls, flushAll: () => flushAll(outside, password) };
  return { server: { origin: "docker", version: IMAGES.redis, url, controls: all }, stop: () => container.stop() };
}

export async function startDockerPostgres(log: Log): Promise<Running<PostgresServer>> {
  const password = randomBytes(16).toString("hex");
  const outside = await freePort();
  const container = await runContainer({
    image: IMAGES.postgres,
    port: { inside: 5432, outside },
    env: { POSTGRES_USER: "winnow", POSTGRES_PASSWORD: password, POSTGRES_DB: "postgres" },
    command: ["postgres", "-c", "fsync=on"],
    answers: () => postgresAnswers({ host: HOST, port: outside }, "winnow"),
    log,
  });
  return {
    server: {
      origin: "docker",
      version: IMAGES.postgres,
      url: postgresUrl(outside, password),
      controls: container.controls,
    },
    stop: () => container.stop(),
  };
}

export async function startDockerKafka(log: Log): Promise<Running<KafkaServer>> {
  const outside = await freePort();
  const settings = {
    ...kafkaSettings,
    listeners: "PLAINTEXT://:9092,CONTROLLER://:9093",
    "advertised.listeners": `PLAINTEXT://${HOST}:${outside}`,
    "controller.quorum.voters": "1@localhost:9093",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "log.dirs": "/tmp/kafka-data",
  };
  const variables = Object.entries(settings).map(([key, value]) => [variableOf(key), value] as const);
  const container = await runContainer({
    image: IMAGES.kafka,
    port: { inside: 9092, outside },
    env: { ...Object.fromEntries(variables), KAFKA_HEAP_OPTS: "-Xms128m -Xmx384m" },
    command: [],
    answers: () => kafkaAnswers({ host: HOST, port: outside }),
    log,
  });
  return {
    server: { origin: "docker", version: IMAGES.kafka, brokers: [`${HOST}:${outside}`], controls: container.controls },
    stop: () => container.stop(),
  };
}

/** The image takes settings as variables: `node.id` is KAFKA_NODE_ID. */
function variableOf(setting: string): string {
  return `KAFKA_${setting.toUpperCase().replaceAll(".", "_")}`;
}
