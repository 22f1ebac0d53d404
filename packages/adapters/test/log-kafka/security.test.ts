import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, kafkaSettings, runCommand } from "@winnow/devservers";
import { tickRecord } from "@winnow/testkit";
import { testFolder } from "@winnow/testkit/folder";
import t, { type Test } from "tap";
import { joinPartitionGroup, type KafkaSasl, type KafkaSsl } from "../../src/log-kafka/index.ts";
import { formatNode, kafkaProgram, newClusterId } from "./kafka-process.ts";
import { codeOf, HeardLog, migrate, newPrefix, numbersIn, open, systemClock } from "./support.ts";

t.setTimeout(240_000);

const password = "s3cret-of-alice";
const username = "alice";

interface SecureBroker {
  readonly sasl: string;
  readonly saslTls: string;
  /** The authority that the broker's certificate was made by: itself. */
  readonly ca: string;
}

/** A broker that takes nobody without a login, with and without TLS; a text where it cannot be had. */
async function startSecureBroker(t: Test): Promise<SecureBroker | string> {
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
    settings: secureSettings(folder, ports),
    format: ["--standalone", ...logins],
  });
  const broker = await start();
  t.teardown(() => broker.stop());
  return { sasl: `127.0.0.1:${ports.sasl}`, saslTls: `127.0.0.1:${ports.tls}`, ca };
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

const broker = await startSecureBroker(t);
const skip = typeof broker === "string" ? `no Kafka: ${broker}` : false;
const { sasl, saslTls, ca } = typeof broker === "string" ? { sasl: "", saslTls: "", ca: "" } : broker;

const logins: readonly KafkaSasl[] = [
  { mechanism: "plain", username, password },
  { mechanism: "scram-sha-256", username, password },
  { mechanism: "scram-sha-512", username, password },
];

for (const login of logins) {
  const doors: readonly { readonly name: string; readonly address: string; readonly ssl?: KafkaSsl }[] = [
    { name: "without TLS", address: sasl },
    { name: "over TLS", address: saslTls, ssl: { ca: [ca] } },
  ];
  for (const { name, address, ssl } of doors) {
    await t.test(`the log and the group log in by ${login.mechanism} ${name}`, { skip }, async (t) => {
      const how = { sasl: login, ...(ssl === undefined ? {} : { ssl }) };
      const place = { brokers: [address], topicPrefix: newPrefix() };
      await migrate(place, how);
      const log = await open(place, how);
      t.equal(await log.append("alerts", 0, [tickRecord(4)]), 0);
      t.same(await numbersIn(log, 0), [4]);
      await log.close();
      const { promise, resolve } = Promise.withResolvers<readonly number[]>();
      const group = joinPartitionGroup({
        ...how,
        brokers: [address],
        groupId: place.topicPrefix,
        partitions: 2,
        clock: systemClock,
        log: new HeardLog(),
        onAssigned: resolve,
        onRevoked: () => Promise.resolve(),
      });
      t.same(await promise, [0, 1]);
      await group.close();
    });
  }
}

await t.test("wrong credentials are said to be wrong, an unknown authority is no broker", { skip }, async (t) => {
  const place = { brokers: [sasl], topicPrefix: newPrefix() };
  for (const login of logins) {
    const wrong = { ...login, password: "wrong" };
    for (const trying of [() => open(place, { sasl: wrong, readMs: 500 }), () => migrate(place, { sasl: wrong })]) {
      const error: unknown = await trying().then(
        () => null,
        (thrown: unknown) => thrown,
      );
      t.match(error, { code: "store_unsuitable", message: /refuses the credentials/ }, login.mechanism);
    }
  }
  const [login] = logins;
  const overTls = { brokers: [saslTls], topicPrefix: newPrefix() };
  if (login === undefined) return;
  t.equal(await codeOf(open(overTls, { sasl: login, ssl: true, readMs: 500 })), "store_unavailable");
  t.equal(await codeOf(open(overTls, { sasl: login, readMs: 500, connectMs: 1_000 })), "store_unavailable");
});

await t.test("a password is in no log line and no error", { skip }, async (t) => {
  const heard = new HeardLog();
  const wrong: KafkaSasl = { mechanism: "plain", username, password: "hunter2-hunter2" };
  const place = { brokers: [sasl], topicPrefix: newPrefix() };
  const error = await open(place, { sasl: wrong, log: heard, readMs: 500 }).catch((thrown: unknown) => thrown);
  const said = JSON.stringify([heard.lines, (error as Error).message, (error as { fields?: unknown }).fields]);
  t.notMatch(said, /hunter2/);
});
