import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, kafkaSettings, runCommand } from "@winnow/devservers";
import { testFolder } from "@winnow/testkit/folder";
import type { Test } from "tap";
import { formatNode, kafkaProgram, newClusterId } from "./kafka-process.ts";

export const password = "s3cret-of-alice";
export const username = "alice";

export interface SecureBroker {
  readonly sasl: string;
  readonly saslTls: string;
  /** Without a login: who comes in here is nobody. */
  readonly inner: string;
  /** The authority that the broker's certificate was made by: itself. */
  readonly ca: string;
}

/** A broker that takes nobody without a login, with and without TLS; a text where it cannot be had. */
export async function startSecureBroker(
  t: Test,
  more: Readonly<Record<string, string>> = {},
): Promise<SecureBroker | string> {
  const program = await kafkaProgram(t);
  if (typeof program === "string") return program;
  const folder = testFolder(t);
  const ca = await makeCertificate(folder);
  if (ca === null) return "no openssl to make a certificate with";
  const ports = {
    sasl: await freePort(),
    tls: await freePort(),
    inner: await freePort(),
    controller: await freePort(),
  };
  const logins = ["SCRAM-SHA-256", "SCRAM-SHA-512"].flatMap((mechanism) => [
    "--add-scram",
    `${mechanism}=[name=${username},password=${password}]`,
  ]);
  const start = await formatNode(program, {
    folder,
    clusterId: newClusterId(),
    settings: { ...secureSettings(folder, ports), ...more },
    format: ["--standalone", ...logins],
  });
  const broker = await start();
  t.teardown(() => broker.stop());
  return { sasl: `127.0.0.1:${ports.sasl}`, saslTls: `127.0.0.1:${ports.tls}`, inner: `127.0.0.1:${ports.inner}`, ca };
}

async function makeCertificate(folder: string): Promise<string | null> {
  const key = join(folder, "key.pem");
  const certificate = join(folder, "cert.pem");
  const made = await runCommand(
    "openssl",
    "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=winnow -addext subjectAltName=IP:127.0.0.1"
      .split(" ")
      .concat("-keyout", key, "-out", certificate),
    { cwd: folder },
  );
  if (made.code !== 0) return null;
  writeFileSync(join(folder, "store.pem"), `${readFileSync(key, "utf8")}${readFileSync(certificate, "utf8")}`);
  return readFileSync(certificate, "utf8");
}

function secureSettings(
  folder: string,
  ports: { readonly sasl: number; readonly tls: number; readonly inner: number; readonly controller: number },
): Readonly<Record<string, string>> {
  const outer = `SASL://127.0.0.1:${ports.sasl},TLS://127.0.0.1:${ports.tls},INNER://127.0.0.1:${ports.inner}`;
  const plain = `org.apache.kafka.common.security.plain.PlainLoginModule required user_${username}="${password}";`;
  const scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
  const login = (listener: string) => ({
    [`listener.name.${listener}.sasl.enabled.mechanisms`]: "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
    [`listener.name.${listener}.plain.sasl.jaas.config`]: plain,
    [`listener.name.${listener}.scram-sha-256.sasl.jaas.config`]: scram,
    [`listener.name.${listener}.scram-sha-512.sasl.jaas.config`]: scram,
  });
  return {
    ...kafkaSettings,
    listeners: `${outer},CONTROLLER://127.0.0.1:${ports.controller}`,
    "advertised.listeners": outer,
    "listener.security.protocol.map": "SASL:SASL_PLAINTEXT,TLS:SASL_SSL,INNER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "INNER",
    "controller.quorum.bootstrap.servers": `127.0.0.1:${ports.controller}`,
    "log.dirs": join(folder, "data"),
    "ssl.keystore.type": "PEM",
    "ssl.keystore.location": join(folder, "store.pem"),
    ...login("sasl"),
    ...login("tls"),
  };
}
