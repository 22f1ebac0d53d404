import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { testFolder } from "@winnow/testkit/folder";
import t from "tap";
import { kafkaAddressOf } from "../../src/cluster/kafka-address.ts";

await t.test("brokers, prefix and copies are read from the address", async (t) => {
  t.strictSame(kafkaAddressOf("kafka://a:9092,[::1]:9093"), {
    brokers: ["a:9092", "[::1]:9093"],
    topicPrefix: "winnow.",
    replication: null,
  });
  t.strictSame(kafkaAddressOf("kafka://a:9092/?topic_prefix=t1.&replication=1"), {
    brokers: ["a:9092"],
    topicPrefix: "t1.",
    replication: 1,
  });
});

await t.test("TLS and logins are read from the address", async (t) => {
  const ca = join(testFolder(t), "ca.pem");
  writeFileSync(ca, "certificate");
  t.match(kafkaAddressOf("kafkas://a:9092"), { ssl: true });
  t.match(kafkaAddressOf(`kafkas://a:9092?ca=${ca}`), { ssl: { ca: "certificate" } });
  t.match(kafkaAddressOf("kafkas://us%40er:p%3Aw@a:9092"), {
    sasl: { mechanism: "scram-sha-512", username: "us@er", password: "p:w" },
  });
  t.match(kafkaAddressOf("kafkas://u:p@a:9092?sasl=plain"), { sasl: { mechanism: "plain" } });
});

await t.test("an address that cannot be used is refused without being shown", async (t) => {
  const refused = [
    ["kafka://", /it has the form/],
    ["kafka://a:1#x", /it has the form/],
    ["kafka://u:secret@a:1?sasl=kerberos", /sasl is one of/],
    ["kafka://usersecret@a:1", /USER:PASSWORD@/],
    ["kafka://u:%secret@a:1", /percent-encoded/],
    ["kafka://a:1?sasl=plain", /sasl needs/],
    ["kafka://a:1?replication=0", /replication is/],
    ["kafka://a:1?prefix=x", /"prefix" is not one of topic_prefix/],
    ["kafkas://a:1?ca=/nowhere.pem", /nowhere.pem/],
  ] as const;
  for (const [address, message] of refused) {
    t.throws(() => kafkaAddressOf(address), { code: "config_invalid", message });
    try {
      kafkaAddressOf(address);
    } catch (error) {
      t.notMatch(String(error), /secret/);
    }
  }
});
