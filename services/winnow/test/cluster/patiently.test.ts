import { createLogger, WinnowError } from "@winnow/platform";
import type { Clock } from "@winnow/ports";
import t from "tap";
import { patiently } from "../../src/cluster/patiently.ts";

const logger = createLogger({ level: "error" });
const clock: Clock = { now: () => 0, monotonic: () => 0, sleep: async () => Promise.resolve() };

/** Rejects with these codes in turn, then opens. */
function failing(...codes: readonly ConstructorParameters<typeof WinnowError>[0][]): () => Promise<string> {
  const left = [...codes];
  return async () => {
    const code = left.shift();
    if (code !== undefined) throw new WinnowError(code, code);
    return "open";
  };
}

const never = new AbortController().signal;

await t.test("a server that does not answer is waited for", async (t) => {
  const open = failing("store_unavailable", "store_unavailable");
  t.equal(await patiently("Kafka", { clock, logger, signal: never }, open), "open");
});

await t.test("what waiting does not mend ends it, unless it has to be waited out too", async (t) => {
  const open = () => failing("store_unavailable", "store_unsuitable", "store_unknown");
  await t.rejects(patiently("Kafka", { clock, logger, signal: never }, open()), { code: "store_unsuitable" });
  t.equal(await patiently("Kafka", { clock, logger, signal: never, isForgiving: () => true }, open()), "open");
});

await t.test("nothing is opened any more once the wait is ended", async (t) => {
  const ending = new AbortController();
  let opened = 0;
  const open = async (): Promise<never> => {
    opened += 1;
    ending.abort();
    throw new WinnowError("store_unavailable", "away");
  };
  await t.rejects(patiently("Kafka", { clock, logger, signal: ending.signal }, open), { code: "store_unavailable" });
  t.equal(opened, 1);
});
