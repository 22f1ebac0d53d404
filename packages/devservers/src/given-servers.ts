import { type Address, accepts } from "./probes.ts";
import type { KafkaServer, PostgresServer, RedisServer } from "./servers.ts";

/** Servers that somebody runs and names. Nothing of theirs is controlled, stopped or deleted. A text where one is wrong. */
export async function givenKafka(text: string): Promise<KafkaServer | string> {
  const brokers = text.split(",").map((one) => one.trim());
  const addresses = brokers.map((one) => addressOf(`kafka://${one}`, 9092));
  return (await problem("WINNOW_TEST_KAFKA", addresses)) ?? { origin: "given", version: null, brokers };
}

export async function givenRedis(url: string): Promise<RedisServer | string> {
  const address = /^rediss?:/.test(url) ? addressOf(url, 6379) : undefined;
  return (await problem("WINNOW_TEST_REDIS", [address])) ?? { origin: "given", version: null, url };
}

export async function givenPostgres(url: string): Promise<PostgresServer | string> {
  const address = /^postgres(?:ql)?:/.test(url) ? addressOf(url, 5432) : undefined;
  return (await problem("WINNOW_TEST_POSTGRES", [address])) ?? { origin: "given", version: null, url };
}

function addressOf(url: string, defaultPort: number): Address | undefined {
  const parsed = URL.parse(url);
  if (parsed === null || parsed.hostname === "") {
    return undefined;
  }
  const host = parsed.hostname.replace(/^\[(.*)\]$/, "$1");
  return { host, port: parsed.port === "" ? defaultPort : Number(parsed.port) };
}

/** Says what is wrong without the value, which may hold a password. */
async function problem(variable: string, addresses: readonly (Address | undefined)[]): Promise<string | undefined> {
  for (const address of addresses) {
    if (address === undefined) {
      return `${variable} is not an address of such a server`;
    }
    if (!(await accepts(address))) {
      return `${variable}: nothing accepts connections at ${address.host}:${address.port}`;
    }
  }
  return undefined;
}
