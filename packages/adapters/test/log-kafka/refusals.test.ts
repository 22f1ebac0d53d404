import { setImmediate } from "node:timers/promises";
import { WinnowError } from "@winnow/platform";
import { tickRecord } from "@winnow/testkit";
import kafkajs from "kafkajs";
import t from "tap";
import { joinPartitionGroup, type KafkaSasl } from "../../src/log-kafka/index.ts";
import { password, startSecureBroker, username } from "./secure-broker.ts";
import { HeardLog, migrate, newPrefix, numbersIn, open, systemClock, withAdmin } from "./support.ts";

t.setTimeout(240_000);

const broker = await startSecureBroker(t, {
  "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
  // Whoever comes in without a login: the broker itself, and this test as its administrator.
  "super.users": "User:ANONYMOUS",
});
const skip = typeof broker === "string" ? `no Kafka: ${broker}` : false;
const { sasl: address, inner } = typeof broker === "string" ? { sasl: "", inner: "" } : broker;
const sasl: KafkaSasl = { mechanism: "plain", username, password };
const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;

type Right = "READ" | "WRITE" | "DESCRIBE";

function aclOf(prefix: string, right: Right, kind: "TOPIC" | "GROUP" = "TOPIC") {
  return {
    resourceType: AclResourceTypes[kind],
    resourceName: prefix,
    resourcePatternType: ResourcePatternTypes.PREFIXED,
    principal: `User:${username}`,
    host: "*",
    operation: AclOperationTypes[right],
    permissionType: AclPermissionTypes.ALLOW,
  };
}

type Acl = ReturnType<typeof aclOf>;

const grant = (...acl: Acl[]) => withAdmin([inner], (admin) => admin.createAcls({ acl }));
const take = (...filters: Acl[]) => withAdmin([inner], (admin) => admin.deleteAcls({ filters }));

/** The broker learns of changed rights a moment later: tried until it answers in this way. */
async function until<T>(
  attempt: () => Promise<T>,
  isIt: (result: T | WinnowError) => boolean,
): Promise<T | WinnowError> {
  for (;;) {
    const result = await attempt().catch((error: unknown) => {
      if (error instanceof WinnowError) return error;
      throw error;
    });
    if (isIt(result)) return result;
    await setImmediate();
  }
}

const isRefused = (result: unknown): boolean => result instanceof WinnowError && result.code === "log_refused";
const isDone = (result: unknown): boolean => !(result instanceof WinnowError);

await t.test(
  "a right that is taken away is told with its place and its fix, and all goes on when it is back",
  { skip },
  async (t) => {
    const topicPrefix = newPrefix();
    await migrate({ brokers: [inner], topicPrefix });
    const all = (["READ", "WRITE", "DESCRIBE"] as const).map((right) => aclOf(topicPrefix, right));
    const opening = () => open({ brokers: [address], topicPrefix }, { sasl, readMs: 1_000 });
    t.match(await opening().catch((error: unknown) => error), {
      code: "store_unsuitable",
      message: /TOPIC_AUTHORIZATION_FAILED.*; allow Winnow's user/,
    });
    await grant(...all);
    const log = await until(opening, isDone);
    if (log instanceof WinnowError) return;
    t.teardown(() => log.close());
    let n = 0;
    const append = () => log.append("transitions", 0, [tickRecord(n)]);
    t.equal(await until(append, isDone), 0);

    await take(aclOf(topicPrefix, "WRITE"));
    n = 1;
    let written = 0;
    const refusedWrite = await until(() => append().then((offset) => (written = offset)), isRefused);
    t.match(refusedWrite, {
      code: "log_refused",
      retry: "retryable",
      message: /refuses to write to .*transitions: TOPIC_AUTHORIZATION_FAILED.*; allow Winnow's user to .*Write/,
      fields: { topic: `${topicPrefix}transitions`, partition: 0 },
    });
    n = 2;
    await setImmediate();
    const two = [append(), log.append("transitions", 0, [tickRecord(3)])].map((one) =>
      one.catch((error: unknown) => error),
    );
    t.match(await Promise.all(two), [{ code: "log_refused" }, { code: "log_refused" }], "nothing passes it by");
    await grant(aclOf(topicPrefix, "WRITE"));
    t.ok(isDone(await until(append, isDone)));
    await log.append("transitions", 0, [tickRecord(3)]);
    t.same(await numbersIn(log, 0, "transitions"), [0, ...Array<number>(written).fill(1), 2, 3], "in order, each once");

    await take(aclOf(topicPrefix, "READ"));
    const read = () => log.read("transitions", 0, written + 3, 1);
    t.match(await until(read, isRefused), { message: /refuses to read .*transitions/, fields: { partition: 0 } });
    await grant(aclOf(topicPrefix, "READ"));
    t.same(await until(read, isDone), []);

    await take(...all);
    t.ok(isRefused(await until(() => log.bounds("transitions", 0), isRefused)), "nor is the topic's place told");
    await grant(...all);
    t.match(await until(() => log.bounds("transitions", 0), isDone), { end_offset: written + 3 });
  },
);

await t.test("a group that lets us in no more says so, and again when it does", { skip }, async (t) => {
  const groupId = newPrefix();
  const acl = aclOf(groupId, "READ", "GROUP");
  const told: (Error | null)[] = [];
  let hear = (): void => {};
  const next = async (isIt: (last: Error | null | undefined) => boolean): Promise<void> => {
    while (!isIt(told.at(-1))) {
      const { promise, resolve } = Promise.withResolvers<void>();
      hear = resolve;
      await promise;
    }
  };
  const heard = new HeardLog();
  const group = joinPartitionGroup({
    sasl,
    brokers: [address],
    groupId,
    partitions: 1,
    clock: systemClock,
    log: heard,
    onAssigned: () => {},
    onRevoked: () => Promise.resolve(),
    onRefused: (error) => {
      told.push(error);
      hear();
    },
  });
  t.teardown(() => group.close());
  await next((last) => last instanceof WinnowError);
  t.match(told[0], {
    code: "log_refused",
    message: /refuses to let us into the group .*GROUP_AUTHORIZATION_FAILED; allow Winnow's user to Read the group/,
  });
  await grant(acl);
  await next((last) => last === null);
  t.same(group.owned, [0]);
  t.equal(heard.lines.filter(({ level }) => level === "error").length, 1, "an error is logged once");
});
