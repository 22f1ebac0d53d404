import { tickRecord } from "@winnow/testkit";
import t from "tap";
import { joinPartitionGroup, type KafkaSasl, type KafkaSsl } from "../../src/log-kafka/index.ts";
import { password, startSecureBroker, username } from "./secure-broker.ts";
import { codeOf, HeardLog, migrate, newPrefix, numbersIn, open, systemClock } from "./support.ts";

t.setTimeout(240_000);

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
