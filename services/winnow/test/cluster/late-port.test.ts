import { WinnowError } from "@winnow/platform";
import t from "tap";
import { latePort } from "../../src/cluster/late-port.ts";

interface Port {
  readonly partitions: number;
  read(): Promise<string>;
}

class Opened implements Port {
  readonly partitions = 4;
  readonly #text = "from the server";

  async read(): Promise<string> {
    return this.#text;
  }
}

await t.test("a port whose server has not answered rejects its calls, and works once it has", async (t) => {
  const opening = Promise.withResolvers<Port>();
  const port = latePort("Kafka", opening.promise, { partitions: 4 });
  t.equal(port.partitions, 4);
  await t.rejects(port.read(), { code: "store_unavailable", message: "Kafka has not answered yet" });
  t.equal(await Promise.resolve(port), port, "it is no promise itself");
  opening.resolve(new Opened());
  await opening.promise;
  t.equal(await port.read(), "from the server");
});

await t.test("a server that cannot be used is told as it told itself", async (t) => {
  const opening = Promise.withResolvers<Port>();
  const port = latePort("Redis", opening.promise);
  opening.reject(new WinnowError("store_unsuitable", "maxmemory-policy is allkeys-lru"));
  await t.rejects(opening.promise);
  await t.rejects(port.read(), { code: "store_unsuitable", message: /allkeys-lru/ });
});
