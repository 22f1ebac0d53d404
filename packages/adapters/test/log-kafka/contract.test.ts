import { sharedServers, skipWithout } from "@winnow/test/real-servers/shared.ts";
import { eventLogContract } from "@winnow/testkit";
import t from "tap";
import { migrate, newPrefix, open, removeTopics } from "./support.ts";

t.setTimeout(300_000);
const servers = await sharedServers(t, ["kafka"]);
const skip = skipWithout(servers, "kafka");
const brokers = servers.kafka?.brokers ?? [];

await t.test("the log on Kafka keeps the contract", { skip }, async (t) => {
  const root = newPrefix();
  const placeAt = (place: string) => ({ brokers, topicPrefix: `${root}${place}.` });
  t.teardown(() => removeTopics({ brokers, topicPrefix: root }));
  await eventLogContract(t, {
    name: "log-kafka",
    open: async (place, retention) => {
      await migrate(placeAt(place));
      return open(placeAt(place), retention === "drop" ? { retention: { maxAgeMs: 0 } } : {});
    },
    remove: (place) => removeTopics(placeAt(place)),
  });
});
