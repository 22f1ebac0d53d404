import { WinnowError } from "@winnow/platform";
import type { BrokerAddress, KafkaSasl } from "./kafkajs.ts";
import type { LinkSettings } from "./link.ts";
import * as options from "./options.ts";

export function linkSettings(given: options.KafkaConnectionOptions): LinkSettings {
  return {
    clientId: given.clientId ?? "winnow",
    connectMs: given.connectMs ?? options.connectMsDefault,
    requestMs: given.requestMs ?? options.requestMsDefault,
    ssl: given.ssl ?? null,
    sasl: given.sasl === undefined ? null : ownSasl(given.sasl),
    clock: given.clock,
    log: given.log,
  };
}

/** kafkajs leaves its provider, and with it the password of the first login, in the object that it is given. */
function ownSasl({ mechanism, username, password }: KafkaSasl): KafkaSasl {
  return { mechanism, username, password };
}

/** Reads `host:port`. Throws `config_invalid`. */
function addressOf(text: string): BrokerAddress {
  const parsed = /^(?:\[([0-9a-fA-F:.]+)\]|([^:/\s]+)):(\d{1,5})$/.exec(text);
  const host = parsed?.[1] ?? parsed?.[2];
  const port = Number(parsed?.[3]);
  if (host === undefined || !(port > 0 && port < 65_536)) {
    const message = `a broker is written as host:port, not as ${JSON.stringify(text)}`;
    throw new WinnowError("config_invalid", message, { fields: { broker: text } });
  }
  return { host, port };
}

/** All brokers of the options. Throws `config_invalid`. */
export function addressesOf(brokers: readonly string[]): readonly BrokerAddress[] {
  if (brokers.length === 0) throw new WinnowError("config_invalid", "no brokers are named");
  return brokers.map(addressOf);
}
