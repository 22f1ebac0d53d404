import { readFileSync } from "node:fs";
import type { KafkaSasl, KafkaSsl } from "@winnow/adapters/log-kafka";
import { WinnowError } from "@winnow/platform";

/** A `log` address, taken apart. */
export interface KafkaAddress {
  /** `host:port` each. */
  readonly brokers: readonly string[];
  readonly topicPrefix: string;
  /** Copies of each partition that `winnow migrate` makes; null = the adapter's default. */
  readonly replication: number | null;
  readonly ssl?: KafkaSsl;
  readonly sasl?: KafkaSasl;
}

const form = "kafka://[USER:PASSWORD@]HOST:PORT[,HOST:PORT…][?topic_prefix=…&sasl=…&ca=…&replication=…]";
const mechanisms = ["plain", "scram-sha-256", "scram-sha-512"] as const;
const known: readonly string[] = ["topic_prefix", "sasl", "ca", "replication"];
const topicPrefixDefault = "winnow.";

/**
 * Reads `kafka://` (plain) and `kafkas://` (TLS) addresses. A user logs in with `sasl` (scram-sha-512 unless given);
 * `ca` names a PEM file with further authorities. Throws WinnowError `config_invalid`.
 */
export function kafkaAddressOf(url: string): KafkaAddress {
  const match = /^(kafkas?):\/\/(?:([^@/?#]*)@)?([^@/?#]+)\/?(?:\?([^#]*))?$/.exec(url);
  if (match === null) throw refused(`it has the form ${form}`);
  const [, scheme, login, hosts = "", query = ""] = match;
  const parameters = new URLSearchParams(query);
  for (const name of parameters.keys())
    if (!known.includes(name)) throw refused(`${JSON.stringify(name)} is not one of ${known.join(", ")}`);
  const sasl = saslOf(login, parameters.get("sasl"));
  return {
    brokers: hosts.split(","),
    topicPrefix: parameters.get("topic_prefix") ?? topicPrefixDefault,
    replication: replicationOf(parameters.get("replication")),
    ...(scheme === "kafkas" ? { ssl: sslOf(parameters.get("ca")) } : {}),
    ...(sasl === null ? {} : { sasl }),
  };
}

/** How the adapters want to hear of it. */
export function kafkaConnectionOf({ brokers, ssl, sasl }: KafkaAddress) {
  return {
    brokers,
    clientId: "winnow",
    ...(ssl === undefined ? {} : { ssl }),
    ...(sasl === undefined ? {} : { sasl }),
  };
}

function replicationOf(text: string | null): number | null {
  if (text === null) return null;
  const copies = Number(text);
  if (!Number.isSafeInteger(copies) || copies < 1) throw refused("replication is a whole number from 1 on");
  return copies;
}

function sslOf(ca: string | null): KafkaSsl {
  if (ca === null) return true;
  try {
    return { ca: readFileSync(ca, "utf8") };
  } catch (cause) {
    throw new WinnowError("config_invalid", `the file ${ca}, ca of the log, cannot be read`, { cause });
  }
}

function saslOf(login: string | undefined, asked: string | null): KafkaSasl | null {
  if (login === undefined) {
    if (asked !== null) throw refused("sasl needs USER:PASSWORD@ before the host");
    return null;
  }
  const mechanism = mechanisms.find((one) => one === (asked ?? "scram-sha-512"));
  if (mechanism === undefined) throw refused(`sasl is one of ${mechanisms.join(", ")}`);
  const colon = login.indexOf(":");
  if (colon < 0) throw refused("a user has a password: USER:PASSWORD@, each percent-encoded");
  const [username, password] = [login.slice(0, colon), login.slice(colon + 1)].map(decoded);
  return { mechanism, username: username ?? "", password: password ?? "" };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refused("user and password are percent-encoded");
  }
}

/** Never shows the address itself: it may hold a password. */
function refused(why: string): WinnowError {
  return new WinnowError("config_invalid", `the address of the log cannot be used: ${why}`);
}
